// Gradio's own configuration, with Debian's Chromium, on the loopback interface alone, and
// signed in where SIGNED_IN names the file of a browser's state.
import gradios from "./.config/playwright.config.js";

const loopbackOnly = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1";

export default {
  ...gradios,
  testDir: "js/spa/test",
  // A benchmark, and the development server, which the specs restart under the page.
  testIgnore: [/big_complex_demo/, /\.reload\.spec/],
  workers: 2,
  retries: 1,
  timeout: 90_000, // three times theirs: two cores, and a browser a worker
  expect: { timeout: 30_000 },
  reporter: [["line"], ["json", { outputFile: process.env.REPORT }]],
  projects: gradios.projects.map((project) => ({
    ...project,
    use: {
      ...project.use,
      trace: "off",
      storageState: process.env.SIGNED_IN,
      launchOptions: {
        executablePath: process.env.CHROMIUM,
        args: [...gradios.use.launchOptions.args, loopbackOnly]
      }
    }
  }))
};
