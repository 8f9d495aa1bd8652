'use strict';
// What the page draws from. Every text in it came from logs, or may have: it is only ever made the
// text of an element, never markup; the page's policy would refuse that.

const VERDICTS = ['normal', 'alert', 'fence', 'kill'];
const SVG = 'http://www.w3.org/2000/svg';

async function unpack(id) {
  const packed = atob(document.getElementById(id).textContent);
  const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
  const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(plain).text());
}

/** An element with attributes and children; children that are no elements become text. */
function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value !== undefined && value !== null && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The head of a table; names that begin with # are of numbers. */
function head(...names) {
  const cell = (name) => (name.startsWith('#') ? el('th', { class: 'number' }, name.slice(1)) : el('th', {}, name));
  return el('thead', {}, el('tr', {}, ...names.map(cell)));
}

function code(text) {
  return el('code', {}, text);
}

function badge(verdict) {
  return el('span', { class: `badge v${verdict}` }, VERDICTS[verdict]);
}

/** 2026-11-20T10:00:00Z, as everywhere in Tripline. */
function moment(secs) {
  return new Date(secs * 1000).toISOString().replace('.000Z', 'Z');
}

function clock(secs) {
  return moment(secs).slice(11);
}

function count(number) {
  return number.toLocaleString('en-US');
}

class Data {
  constructor(island) {
    Object.assign(this, island);
    this.rows = this.calls.action.length;
    this.noteOf = new Map(this.notes.map((note) => [note[0], note]));
    this.hasScores = this.notes.some((note) => note[2] !== null);
    this.records = null;
  }

  text(number) {
    return number < 0 ? '' : this.texts[number];
  }

  get sessionCount() {
    return this.sessions.id.length;
  }

  /** Where the rows of a session are. */
  range(session) {
    const from = this.sessions.from[session];
    const next = this.sessions.from[session + 1];
    return [from, next === undefined ? this.rows : next];
  }

  /** The calls of these sessions, in order of time. */
  callsOf(sessions) {
    const calls = [];
    for (const session of sessions) {
      let [row, end] = this.range(session);
      let time = this.sessions.first[session];
      for (; row < end; row += 1) {
        time += this.calls.after[row];
        const note = this.noteOf.get(row);
        calls.push({ row, session, time, verdict: note ? note[1] : 0, note });
      }
    }
    return calls.sort((one, other) => one.time - other.time || one.row - other.row);
  }

  /** What all that is new about a call weighs. */
  weight(call) {
    if (!call.note) return 0;
    return call.note[3].reduce((sum, reason) => sum + this.reasons[reason][2], 0);
  }

  /** The reasons of a call, each with its text and weight. */
  reasonsOf(call) {
    if (!call.note) return [];
    return call.note[3].map((number) => {
      const [feature, value, weight, detail, technique, verdict] = this.reasons[number];
      const shown = this.text(value);
      const told = this.text(detail);
      return {
        feature: this.text(feature),
        told: told.includes(shown) ? told : `${told}: ${shown}`,
        weight,
        technique: this.text(technique),
        verdict,
      };
    });
  }

  shortId(session) {
    const id = this.text(this.sessions.id[session]);
    return id.length > 24 ? `${id.slice(0, 23)}…` : id;
  }

  agentOf(session) {
    return this.text(this.sessions.agent[session]) || 'nobody’s';
  }

  /** The record of a call as it was written, if the page has it. */
  async record(row) {
    if (!this.records) this.records = await unpack('records');
    return this.records[row];
  }
}
