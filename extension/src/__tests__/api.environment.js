// A browser's page that can also fetch: jsdom lacks what Node has.
const { TestEnvironment } = require('jest-environment-jsdom');

module.exports = class extends TestEnvironment {
  async setup() {
    await super.setup();
    const { Headers, Request, Response, fetch } = globalThis;
    Object.assign(this.global, { Headers, Request, Response, fetch });
  }
};
