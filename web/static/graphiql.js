"use strict";

// GraphiQL over /graphql. A token from a signIn is remembered until the page closes and sent with every tab,
// unless the tab's own headers name another one. So are the ids that the next example needs: a variable named
// $booking or $intent that has no value gets that of the newest answer. Subscriptions take the same headers
// when they connect.
(async () => {
  const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
  const remembered = { token: window.atriumToken, variables: {} };

  const withToken = (headers) => {
    const named = Object.keys(headers || {}).some((name) => name.toLowerCase() === "authorization");
    return remembered.token && !named ? { ...headers, Authorization: `Bearer ${remembered.token}` } : { ...headers };
  };

  const remember = (answer) => {
    const data = answer?.data ?? {};
    remembered.token = data.signIn?.accessToken ?? remembered.token;
    remembered.variables.booking = data.bookAppointment?.id ?? remembered.variables.booking;
    remembered.variables.intent = data.createPaymentIntent?.paymentIntentId ?? remembered.variables.intent;
    return answer;
  };

  const operationOf = (document, name) => {
    const operations = (document?.definitions ?? []).filter((each) => each.kind === "OperationDefinition");
    return operations.find((each) => each.name?.value === name) ?? operations[0];
  };

  const withVariables = (given, operation) => {
    const names = (operation?.variableDefinitions ?? []).map((each) => each.variable.name.value);
    const known = names.filter((name) => remembered.variables[name] !== undefined);
    return { ...Object.fromEntries(known.map((name) => [name, remembered.variables[name]])), ...given };
  };

  const subscribe = (parameters, headers) => {
    const client = graphqlWs.createClient({ url: socketUrl, connectionParams: withToken(headers), retryAttempts: 5 });
    return client.iterate({
      query: parameters.query,
      variables: parameters.variables,
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
    return remember(await response.json());
  };

  const fetcher = (parameters, options) => {
    const operation = operationOf(options?.documentAST, parameters.operationName);
    const complete = { ...parameters, variables: withVariables(parameters.variables, operation) };
    return operation?.operation === "subscription" ? subscribe(complete, options?.headers) : post(complete, options?.headers);
  };

  const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const examples = await (await fetch("/graphiql/examples.json", { headers: withToken({}) })).json();
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
