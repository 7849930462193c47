"use strict";

// Signs a member of the staff in and puts GraphiQL in place of this page. The token is kept in the page's memory only.
document.getElementById("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const say = (text) => (form.querySelector("output").textContent = text);
  const query = "mutation($email: EmailAddress!, $password: String!) { signIn(email: $email, password: $password) { accessToken } }";
  const variables = { email: form.email.value, password: form.password.value };
  say("");
  const answer = await fetch("/graphql", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (!data?.signIn) return say(errors?.[0]?.message ?? "This did not work.");
  const page = await fetch("/graphiql", { headers: { Authorization: `Bearer ${data.signIn.accessToken}` } });
  if (!page.ok) return say("GraphiQL is for the staff.");
  window.atriumToken = data.signIn.accessToken;
  const text = await page.text();
  document.open();
  document.write(text);
  document.close();
});
