// Shows the description of the interfaces. No highlighting of syntax: it would bring styles of its own.
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

dark.addEventListener("change", follow);
follow();
SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("docs"),
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  syntaxHighlight: false,
  validatorUrl: null,
});
