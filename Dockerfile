FROM node:24-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# The scripts of packages do not run. `npm pack` runs those of this package, which build it.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY .bundle.js tsconfig.json README.md ./
COPY patches patches/
COPY migrations migrations/
COPY src src/
RUN npm pack
WORKDIR /app
# The optional packages are the embedded PostgreSQL, so the image requires DATABASE_URL.
RUN npm install --omit=optional --ignore-scripts --no-audit --no-fund ../build/accountgraph-*.tgz

FROM node:24-slim
WORKDIR /app
COPY --from=build /app ./
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000
# The user `node`, as a number that Kubernetes can check.
USER 1000
EXPOSE 4000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health/ready').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# The first line of the program gives Node.js its flags.
ENTRYPOINT ["/app/node_modules/.bin/accountgraph"]
CMD ["serve"]
