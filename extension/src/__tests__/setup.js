// What jsdom lacks and a canvas needs.
const { webcrypto } = require('node:crypto');

Object.defineProperty(globalThis, 'crypto', { value: webcrypto });

class Observer {
  constructor(callback) {
    this.callback = callback;
  }
  observe(target) {
    this.callback([{ target, contentRect: { width: 1200, height: 800 } }], this);
  }
  unobserve() {}
  disconnect() {}
}
globalThis.ResizeObserver = Observer;
globalThis.DOMMatrixReadOnly = class {
  m22 = 1;
};
globalThis.matchMedia ??= () => ({
  matches: true,
  addEventListener() {},
  removeEventListener() {}
});
/** A card is as large as a card, and the canvas has room for some beside each other. */
const sized = (card, canvas) => ({
  get() {
    return this.matches('.react-flow__renderer') ? canvas : card;
  }
});
Object.defineProperties(globalThis.HTMLElement.prototype, {
  offsetHeight: sized(96, 800),
  offsetWidth: sized(220, 1200)
});
globalThis.SVGElement.prototype.getBBox = () => ({ x: 0, y: 0, width: 0, height: 0 });
globalThis.HTMLElement.prototype.scrollIntoView = () => undefined;
