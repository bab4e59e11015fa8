/** The button that cycles the themes: the system's, light, dark. The choice is stored. */

const THEMES = ["auto", "light", "dark"];
const NAMES = { auto: "system", light: "light", dark: "dark" };

export function theme(button, picture) {
  const root = document.documentElement;
  const show = () => {
    const chosen = root.dataset.theme ?? "auto";
    picture.setAttribute("href", `#i-${chosen}`);
    button.title = `Theme: ${NAMES[chosen]}`;
    button.setAttribute("aria-label", button.title);
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "auto") + 1) % THEMES.length];
    if (next === "auto") {
      delete root.dataset.theme;
      localStorage.removeItem("theme");
    } else {
      root.dataset.theme = next;
      localStorage.setItem("theme", next);
    }
    show();
  });
  show();
}
