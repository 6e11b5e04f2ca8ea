import { Suspense } from 'react';
import {
  graphql,
  RelayEnvironmentProvider,
  useFragment,
  useLazyLoadQuery,
  useMutation,
  usePaginationFragment,
  useRefetchableFragment,
} from 'react-relay';
import type { Environment } from 'relay-runtime';
import type { accounts_account$key } from './__generated__/accounts_account.graphql.ts';
import type { accounts_list$key } from './__generated__/accounts_list.graphql.ts';
import type { accounts_name$key } from './__generated__/accounts_name.graphql.ts';
import type { accountsCreateMutation } from './__generated__/accountsCreateMutation.graphql.ts';
import type { accountsPageQuery } from './__generated__/accountsPageQuery.graphql.ts';
import type { accountsQuery } from './__generated__/accountsQuery.graphql.ts';
import type { accountsRefetchQuery } from './__generated__/accountsRefetchQuery.graphql.ts';
import type { accountsRenameMutation } from './__generated__/accountsRenameMutation.graphql.ts';

export function App({ environment, ...shown }: { environment: Environment; tag: string; id: string }) {
  return (
    <RelayEnvironmentProvider environment={environment}>
      <Suspense fallback={null}>
        <Page {...shown} />
      </Suspense>
    </RelayEnvironmentProvider>
  );
}

function Page({ tag, id }: { tag: string; id: string }) {
  const query = useLazyLoadQuery<accountsQuery>(
    graphql`
      query accountsQuery($tag: String!, $id: ID!) {
        ...accounts_list @arguments(tag: $tag)
        account(id: $id) {
          ...accounts_account
        }
      }
    `,
    { tag, id },
  );
  return (
    <main>
      <List query={query} tag={tag} />
      {query.account && <One account={query.account} />}
    </main>
  );
}

function List({ query, tag }: { query: accounts_list$key; tag: string }) {
  const { data, hasNext, loadNext } = usePaginationFragment<accountsPageQuery, accounts_list$key>(
    graphql`
      fragment accounts_list on Query
      @refetchable(queryName: "accountsPageQuery")
      @argumentDefinitions(
        tag: { type: "String!" }
        first: { type: "Int", defaultValue: 2 }
        after: { type: "String" }
      ) {
        accounts(filter: { tag: $tag }, orderBy: { field: ID, direction: ASC }, first: $first, after: $after)
          @connection(key: "accounts_list_accounts") {
          __id
          edges {
            node {
              nodeId
              ...accounts_name
            }
          }
        }
      }
    `,
    query,
  );
  const [create] = useMutation<accountsCreateMutation>(graphql`
    mutation accountsCreateMutation($input: CreateAccountInput!, $connections: [ID!]!) {
      createAccount(input: $input) {
        ... on CreateAccountSuccess {
          account @appendNode(connections: $connections, edgeTypeName: "AccountEdge") {
            ...accounts_name
          }
        }
        ... on Error {
          code
          message
        }
      }
    }
  `);
  const connections = [data.accounts.__id];
  return (
    <>
      <ul>
        {data.accounts.edges.map(({ node }) => (
          <Name key={node.nodeId} account={node} />
        ))}
      </ul>
      <button
        type="button"
        name="create"
        onClick={() => {
          const input = { id: `${tag}4`, name: `Account ${tag}4`, customerId: 'C1234qwd', tags: [tag] };
          create({ variables: { input, connections } });
        }}
      />
      {hasNext && <button type="button" name="more" onClick={() => loadNext(2)} />}
    </>
  );
}

function Name({ account }: { account: accounts_name$key }) {
  const { name } = useFragment(
    graphql`
      fragment accounts_name on Account {
        name
      }
    `,
    account,
  );
  return <li>{name}</li>;
}

function One({ account }: { account: accounts_account$key }) {
  const [data, refetch] = useRefetchableFragment<accountsRefetchQuery, accounts_account$key>(
    graphql`
      fragment accounts_account on Account @refetchable(queryName: "accountsRefetchQuery") {
        id
        name
        version
      }
    `,
    account,
  );
  const [rename] = useMutation<accountsRenameMutation>(graphql`
    mutation accountsRenameMutation($input: UpdateAccountInput!) {
      updateAccount(input: $input) {
        ... on UpdateAccountSuccess {
          account {
            name
            version
          }
        }
        ... on Error {
          code
          message
        }
      }
    }
  `);
  return (
    <article>
      <h1>{data.name}</h1>
      <button
        type="button"
        name="rename"
        onClick={() => rename({ variables: { input: { id: data.id, name: 'Renamed' } } })}
      />
      <button type="button" name="refetch" onClick={() => refetch({}, { fetchPolicy: 'network-only' })} />
    </article>
  );
}
