"use strict";

// GraphiQL over /graphql. A token from a signIn is remembered until the page closes and sent with every tab,
// unless the tab's own headers name another one. Subscriptions take the same headers when they connect.
(async () => {
  const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
  let token = null;

  const withToken = (headers) => {
    const named = Object.keys(headers || {}).some((name) => name.toLowerCase() === "authorization");
    return token && !named ? { ...headers, Authorization: `Bearer ${token}` } : { ...headers };
  };

  const rememberToken = (answer) => {
    for (const value of Object.values(answer?.data ?? {})) {
      if (typeof value?.accessToken === "string") token = value.accessToken;
    }
    return answer;
  };

  const kindOf = (document, name) => {
    const operations = (document?.definitions ?? []).filter((each) => each.kind === "OperationDefinition");
    return (operations.find((each) => each.name?.value === name) ?? operations[0])?.operation;
  };

  const subscribe = (parameters, headers) => {
    const client = graphqlWs.createClient({ url: socketUrl, connectionParams: withToken(headers), lazy: true, retryAttempts: 5 });
    return client.iterate({
      query: parameters.query,
      variables: parameters.variables ?? undefined,
      operationName: parameters.operationName ?? undefined,
    });
  };

  const post = async (parameters, headers) => {
    const response = await fetch("/graphql", {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...withToken(headers) },
      body: JSON.stringify(parameters),
    });
    return rememberToken(await response.json());
  };

  const fetcher = (parameters, options) =>
    kindOf(options?.documentAST, parameters.operationName) === "subscription"
      ? subscribe(parameters, options?.headers)
      : post(parameters, options?.headers);

  const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const examples = await (await fetch("/graphiql/examples.json")).json();
  const defaultTabs = examples.map((each) => ({
    query: each.query.replaceAll("TOMORROW", inDays(1)).replaceAll("YESTERDAY", inDays(-1)),
  }));

  const home = React.createElement("a", { className: "atrium-home", href: "/" }, "Atrium");
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(
      GraphiQL,
      { fetcher, defaultTabs, defaultEditorToolsVisibility: "variables", shouldPersistHeaders: false },
      React.createElement(GraphiQL.Logo, null, home),
    ),
  );
})();
