/**
 * Dark or light: as the system is, or as the user chose.
 */

export class Theme {
  /**
   * @param {HTMLElement} root whose data-theme style.css goes by
   * @param {import("./preferences.js").Preferences} preferences
   * @param {(isLight: boolean) => void} changed called now, and at every change
   */
  constructor(root, preferences, changed) {
    this._systemIsLight = window.matchMedia("(prefers-color-scheme: light)");
    this._chosen = preferences.liking.theme;
    preferences.follow(({ theme }) => {
      this._chosen = theme;
      root.dataset.theme = theme;
      changed(this.isLight);
    });
    this._systemIsLight.addEventListener("change", () => changed(this.isLight));
  }

  get isLight() {
    return this._chosen === "system" ? this._systemIsLight.matches : this._chosen === "light";
  }
}
