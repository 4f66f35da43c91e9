// Builds what a script sees from plain data, and gives back a function that collects what it changed.
// Nothing of the script runs before this, so that it cannot change what is used here.
(function (input) {
  'use strict';
  const { parse, stringify } = JSON;
  const text = String;
  const data = parse(input);

  class Headers {
    #list;
    #isChanged = false;
    constructor(list) { this.#list = list; }
    #values(name) {
      const wanted = text(name).toLowerCase();
      return this.#list.filter((entry) => entry[0] === wanted).map((entry) => entry[1]);
    }
    get(name) { const all = this.#values(name); return all.length ? all[0] : null; }
    getFirst(name) { return this.get(name); }
    getAll(name) { return this.#values(name); }
    contains(name) { return this.#values(name).length > 0; }
    containsKey(name) { return this.contains(name); }
    names() { return [...new Set(this.#list.map((entry) => entry[0]))]; }
    keySet() { return this.names(); }
    size() { return this.names().length; }
    add(name, value) {
      this.#isChanged = true;
      this.#list.push([text(name).toLowerCase(), text(value)]);
      return this;
    }
    set(name, value) {
      this.remove(name);
      for (const one of Array.isArray(value) ? value : [value]) this.add(name, one);
      return this;
    }
    remove(name) {
      this.#isChanged = true;
      const wanted = text(name).toLowerCase();
      this.#list = this.#list.filter((entry) => entry[0] !== wanted);
      return this;
    }
    static changes(headers) { return headers.#isChanged ? headers.#list : null; }
  }

  class Parameters {
    #map;
    constructor(map) { this.#map = map; }
    get(name) { return Object.hasOwn(this.#map, name) ? this.#map[name] : null; }
    getFirst(name) { const all = this.get(name); return all ? all[0] : null; }
    containsKey(name) { return Object.hasOwn(this.#map, name); }
    keySet() { return Object.keys(this.#map); }
    size() { return Object.keys(this.#map).length; }
  }

  const PREFIX = 'gravitee.attribute.';
  const attributes = Object.assign(Object.create(null), data.attributes);
  const before = Object.create(null);
  for (const name of Object.keys(attributes)) before[name] = stringify(attributes[name]);
  const lookup = (name) => {
    for (const known of [name, PREFIX + name]) if (known in attributes) return attributes[known];
    const short = name.startsWith(PREFIX) ? name.slice(PREFIX.length) : name;
    return Object.hasOwn(data.facts, short) ? data.facts[short] : null;
  };
  const methods = {
    get: lookup,
    put: (name, value) => { attributes[name] = value; },
    remove: (name) => { delete attributes[name]; },
    containsKey: (name) => lookup(name) !== null,
  };
  const view = new Proxy(attributes, {
    get: (target, name) => {
      if (typeof name !== 'string') return undefined;
      if (!(name in target) && Object.hasOwn(methods, name)) return methods[name];
      return lookup(name);
    },
  });

  const requestHeaders = new Headers(data.request.headers);
  const responseHeaders = new Headers(data.response.headers);
  const status = data.response.status;
  const request = Object.assign(data.request, {
    headers: requestHeaders,
    parameters: new Parameters(data.request.parameters),
    pathParameters: new Parameters(data.request.pathParameters),
  });
  const response = Object.assign(data.response, { headers: responseHeaders });
  const State = Object.freeze({ SUCCESS: 'SUCCESS', FAILURE: 'FAILURE' });
  const result = { state: State.SUCCESS, code: 500, error: null, key: null, contentType: null };
  const ignore = () => {};
  Object.assign(globalThis, {
    request, response, result, State,
    PolicyResult: { State },
    context: {
      attributes: view,
      getAttribute: lookup,
      setAttribute: methods.put,
      removeAttribute: methods.remove,
    },
    console: { log: ignore, info: ignore, warn: ignore, error: ignore, debug: ignore },
  });

  return function collect(value) {
    const textOrNull = (it) => (it === null || it === undefined ? null : text(it));
    const changed = Object.create(null);
    for (const name of Object.keys(attributes)) {
      const now = stringify(attributes[name]);
      if (now !== undefined && now !== before[name]) changed[name] = parse(now);
    }
    const removed = Object.keys(before).filter((name) => !(name in attributes));
    return stringify({
      value: textOrNull(value),
      isFailed: text(result.state) === State.FAILURE,
      code: Number(result.code) | 0,
      error: textOrNull(result.error),
      key: textOrNull(result.key),
      contentType: textOrNull(result.contentType),
      requestHeaders: Headers.changes(requestHeaders),
      responseHeaders: Headers.changes(responseHeaders),
      status: response.status === status ? null : Number(response.status) | 0,
      attributes: changed,
      removed,
    });
  };
})
