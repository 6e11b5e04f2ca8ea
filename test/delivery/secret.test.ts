import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseSessionKeys } from '../../src/auth/session-keys.ts';
import { createSecretBox } from '../../src/delivery/secret.ts';

const newKey = () => randomBytes(32);
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const context = '7:endpoint_01m84fadmwe03rqpvwbebaam9z';

const changed = 'The sealed secret was changed or belongs to another row.';
const noKey = 'No configured key opens the sealed secret.';
const unknownFormat = 'The sealed secret has an unknown format.';

describe('createSecretBox', () => {
  it('opens what it sealed', () => {
    const box = createSecretBox([newKey()]);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (plain, of) => {
        expect(box.open(box.seal(plain, of), of)).toBe(plain);
      }),
    );
  });

  it('seals the same text differently each time, and without its content', () => {
    const box = createSecretBox([newKey()]);
    const sealed = box.seal(secret, context);
    expect(box.seal(secret, context)).not.toEqual(sealed);
    expect(sealed.includes(secret)).toBe(false);
    expect(sealed).toHaveLength(1 + 4 + 12 + 16 + secret.length);
  });

  it('accepts the keys of the configuration, of any length', () => {
    const keys = parseSessionKeys(['x'.repeat(32), 'y'.repeat(100)]) ?? [];
    const box = createSecretBox(keys);
    expect(createSecretBox(keys.toReversed()).open(box.seal(secret, context), context)).toBe(secret);
  });

  it('derives the same key from a buffer and from a key object', () => {
    const key = newKey();
    const sealed = createSecretBox([key]).seal(secret, context);
    expect(createSecretBox([createSecretKey(key)]).open(sealed, context)).toBe(secret);
  });

  it('seals with the first key and opens with all keys', () => {
    const [older, newer] = [newKey(), newKey()];
    const rotated = createSecretBox([newer, older]);
    expect(rotated.open(createSecretBox([older]).seal(secret, context), context)).toBe(secret);
    const sealed = rotated.seal(secret, context);
    expect(createSecretBox([newer]).open(sealed, context)).toBe(secret);
    expect(() => createSecretBox([older]).open(sealed, context)).toThrow(new Error(noKey));
  });

  it('opens nothing in another context', () => {
    const box = createSecretBox([newKey()]);
    const sealed = box.seal(secret, context);
    expect(() => box.open(sealed, context.replace('7:', '8:'))).toThrow(new Error(changed));
  });

  it('opens nothing if any byte was changed', () => {
    const box = createSecretBox([newKey()]);
    const sealed = box.seal(secret, context);
    const errors = [...sealed.keys()].map((at) => {
      const copy = Buffer.from(sealed);
      copy[at] = (copy[at] ?? 0) ^ 1;
      try {
        return box.open(copy, context);
      } catch (error) {
        return (error as Error).message;
      }
    });
    const ofText = Array(sealed.length - 5).fill(changed);
    expect(errors).toEqual([unknownFormat, ...Array(4).fill(noKey), ...ofText]);
  });

  it('opens nothing if the sealed bytes were cut', () => {
    const box = createSecretBox([newKey()]);
    const sealed = box.seal(secret, context);
    for (const length of [0, 1, 5, 17, 32]) {
      expect(() => box.open(sealed.subarray(0, length), context)).toThrow(new Error(unknownFormat));
    }
    for (const length of [33, sealed.length - 1]) {
      expect(() => box.open(sealed.subarray(0, length), context)).toThrow(new Error(changed));
    }
  });

  it('requires a key', () => {
    expect(() => createSecretBox([])).toThrow(new Error('A secret box needs at least one key.'));
  });
});
