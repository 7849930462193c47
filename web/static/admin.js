"use strict";

// What the console's pages have as inline handlers elsewhere; here the policy allows none.
document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-goes-there]")) location.assign(target.value);
});
document.addEventListener("click", ({ target }) => {
  if (target.closest("[data-applies-columns]")) applyColumnVisibility();
});
