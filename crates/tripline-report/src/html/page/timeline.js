// The timeline of some sessions: a lane each, a mark for each call, and the curve of what it all adds up
// to. The list below it says the same in words.

const WIDE = 960;
const LABEL = 200;
const LANE = 26;
const LANES_MAX = 40;
const CURVE = 120;
const LISTED_AT_ONCE = 100;
// A shape for each verdict, so that colour is not needed to tell them apart.
const SHAPES = [
  'M-2-2h4v4h-4z',
  'M0-6L6 5H-6z',
  'M0-7L7 0L0 7L-7 0z',
  'M-6-6L-3-6L0-3L3-6L6-6L6-3L3 0L6 3L6 6L3 6L0 3L-3 6L-6 6L-6 3L-3 0L-6-3z',
];

function timeline(data, sessions, marked) {
  const calls = data.callsOf(sessions);
  if (calls.length === 0) {
    return el('p', { class: 'note' }, 'The calls of these sessions are not on this page: narrow the report to see them.');
  }
  const box = el('div', { class: 'timeline' });
  const detail = el('div', { class: 'detail', 'aria-live': 'polite' });
  const chart = new Chart(data, sessions, calls, marked);
  const show = (call) => {
    chart.select(call);
    detail.replaceChildren(callDetail(data, call));
  };
  chart.listen(show);
  box.append(chart.figure, detail, callList(data, calls, show));
  return box;
}

class Chart {
  constructor(data, sessions, calls, marked) {
    this.data = data;
    this.calls = calls;
    this.lanes = sessions.filter((session) => data.range(session)[0] < data.range(session)[1]).slice(0, LANES_MAX);
    this.lane = new Map(this.lanes.map((session, nth) => [session, nth]));
    this.from = calls[0].time;
    // What was done soon after the last call belongs to the picture.
    const last = calls[calls.length - 1].time;
    const done = (marked.done ?? []).map(([time]) => time).filter((time) => time <= last + 3600);
    this.length = Math.max(1, Math.max(last, ...done) - this.from);
    this.top = 22;
    this.bottom = this.top + this.lanes.length * LANE;
    this.curve = this.points();
    this.height = this.bottom + (this.curve ? CURVE + 40 : 20);
    this.cursor = svg('line', { class: 'cursor', y1: this.top - 4, y2: this.height - 8, x1: -9, x2: -9 });
    this.svg = svg('svg', {
      viewBox: `0 0 ${WIDE} ${this.height}`,
      class: 'chart',
      role: 'img',
      tabindex: '0',
      'aria-label': this.summary(marked),
    });
    this.draw(marked);
    const hint = 'Left and right arrows go from finding to finding, with Shift from call to call.';
    this.figure = el('figure', { class: 'wide' }, this.svg, el('figcaption', {}, `${this.caption()} ${hint}`));
  }

  summary(marked) {
    const found = this.calls.filter((call) => call.verdict > 0).length;
    const at = marked.opened ? ` To be stopped at ${moment(marked.opened)}.` : '';
    const done = (marked.done ?? []).map(([time, word]) => ` ${word} at ${moment(time)}.`).join('');
    return `${count(this.calls.length)} calls of ${this.lanes.length} sessions from ${moment(this.from)} to ${moment(this.from + this.length)}, ${count(found)} findings.${at}${done} The list below has them all.`;
  }

  caption() {
    if (!this.curve) return 'A lane for each credential. Nothing of this has a weight: it was judged by rules alone.';
    return this.data.hasScores
      ? 'A lane for each credential; below, the evidence (log10) against its lines.'
      : 'A lane for each credential; below, the weight (log10) of all that was new so far. There is no calibrated evidence yet.';
  }

  x(time) {
    return LABEL + ((time - this.from) / this.length) * (WIDE - LABEL - 16);
  }

  y(session) {
    return this.top + (this.lane.get(session) ?? this.lanes.length) * LANE + LANE / 2;
  }

  /** The curve's points, or nothing if there is nothing to draw. */
  points() {
    const { data } = this;
    let sum = 0;
    const points = [];
    for (const call of this.calls) {
      if (!call.note) continue;
      if (data.hasScores) {
        if (call.note[2] === null) continue;
        sum = call.note[2];
      } else {
        const weight = data.weight(call);
        if (weight === 0) continue;
        sum += weight;
      }
      points.push([call.time, sum]);
    }
    return points.length > 0 ? points : null;
  }

  draw(marked) {
    const { data } = this;
    this.axis();
    for (const session of this.lanes) {
      const y = this.y(session);
      const cut = marked.cut && marked.cut.includes(session);
      this.svg.append(
        svg('line', { class: cut ? 'lane cut' : 'lane', x1: LABEL, x2: WIDE - 16, y1: y, y2: y }),
        svg('text', { class: 'label', x: 0, y: y + 4 }, `${data.agentOf(session).slice(0, 12)} ${data.shortId(session).slice(-14)}`),
      );
    }
    const marks = [[], [], [], []];
    for (const call of this.calls) {
      if (this.lane.has(call.session)) marks[call.verdict].push(call);
    }
    this.normal(marks[0]);
    for (const verdict of [1, 2, 3]) {
      for (const call of marks[verdict].slice(0, 2000)) {
        const place = `translate(${this.x(call.time).toFixed(1)} ${this.y(call.session)})`;
        this.svg.append(svg('path', { class: `call v${verdict}`, d: SHAPES[verdict], transform: place }));
      }
    }
    if (marked.opened) this.mark(marked.opened, 'to be stopped here', 'stop', 0);
    for (const [nth, [time, word]] of (marked.done ?? []).entries()) this.mark(time, word, 'done', nth + 1);
    if (this.curve) this.drawCurve();
    this.svg.append(this.cursor);
  }

  /** All normal calls as one path, one mark a column: there may be a hundred thousand. */
  normal(calls) {
    const places = new Set();
    for (const call of calls) places.add(`M${Math.round(this.x(call.time))} ${this.y(call.session) - 4}v8`);
    if (places.size > 0) this.svg.append(svg('path', { class: 'calls', d: [...places].join('') }));
  }

  axis() {
    const ticks = 5;
    for (let nth = 0; nth <= ticks; nth += 1) {
      const time = this.from + Math.round((this.length * nth) / ticks);
      const x = this.x(time);
      const anchor = nth === ticks ? 'end' : nth === 0 ? 'start' : 'middle';
      const long = this.length > 86400 * 2 ? moment(time).slice(0, 10) : clock(time);
      this.svg.append(
        svg('line', { class: 'grid', x1: x, x2: x, y1: this.top - 6, y2: this.height - 8 }),
        svg('text', { class: 'tick', x, y: 12, 'text-anchor': anchor }, long),
      );
    }
  }

  /** A moment, with a word each on a line of its own. */
  mark(time, word, kind, nth) {
    if (time < this.from || time > this.from + this.length) return;
    const x = this.x(time);
    const isRight = x > WIDE - 150;
    this.svg.append(
      svg('line', { class: kind, x1: x, x2: x, y1: this.top - 6, y2: this.height - 8 }),
      svg('text', { class: kind, x: x + (isRight ? -4 : 4), y: this.bottom + 12 + nth * 12, 'text-anchor': isRight ? 'end' : 'start' }, word),
    );
  }

  drawCurve() {
    const lines = this.data.hasScores && this.data.lines ? this.data.lines : null;
    const values = this.curve.map(([, value]) => value).concat(lines ? [lines.fence, lines.kill].filter((line) => line !== null) : []);
    const highest = Math.max(...values, 1);
    const base = this.bottom + 20 + CURVE;
    const y = (value) => base - (Math.max(0, value) / highest) * CURVE;
    let path = `M${this.x(this.from)} ${base}`;
    for (const [time, value] of this.curve) path += `H${this.x(time).toFixed(1)}V${y(value).toFixed(1)}`;
    path += `H${WIDE - 16}`;
    this.svg.append(
      svg('text', { class: 'label', x: 0, y: base - CURVE + 10 }, this.data.hasScores ? 'evidence' : 'weight'),
      svg('text', { class: 'tick', x: LABEL - 6, y: base - CURVE + 10, 'text-anchor': 'end' }, highest.toFixed(1)),
      svg('text', { class: 'tick', x: LABEL - 6, y: base, 'text-anchor': 'end' }, '0'),
      svg('path', { class: 'under', d: `${path}V${base}Z` }),
      svg('path', { class: 'curve', d: path }),
    );
    for (const [name, verdict] of lines ? [['fence', 2], ['kill', 3]] : []) {
      if (lines[name] === null) continue;
      const at = y(lines[name]);
      this.svg.append(
        svg('line', { class: `level v${verdict}`, x1: LABEL, x2: WIDE - 16, y1: at, y2: at }),
        svg('text', { class: `tick v${verdict}`, x: WIDE - 18, y: at - 3, 'text-anchor': 'end' }, name),
      );
    }
  }

  select(call) {
    this.selected = call;
    const x = this.x(call.time);
    this.cursor.setAttribute('x1', x);
    this.cursor.setAttribute('x2', x);
  }

  listen(show) {
    this.svg.addEventListener('click', (event) => {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * WIDE;
      const y = ((event.clientY - box.top) / box.height) * this.height;
      const away = (call) => Math.abs(this.x(call.time) - x) + Math.abs(this.y(call.session) - y) * 2 - call.verdict * 3;
      show(this.calls.reduce((best, call) => (away(call) < away(best) ? call : best)));
    });
    this.svg.addEventListener('keydown', (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const among = event.shiftKey ? this.calls : this.calls.filter((call) => call.verdict > 0);
      if (among.length === 0) return;
      const at = this.selected ? among.indexOf(this.selected) : step > 0 ? -1 : 0;
      show(among[(at + step + among.length) % among.length]);
    });
  }
}

function callDetail(data, call) {
  const { calls } = data;
  const line = (name, text) => (text ? [el('dt', {}, name), el('dd', {}, code(text))] : []);
  const reasons = data.reasonsOf(call).map((reason) => {
    const weight = reason.weight ? ` (weight ${reason.weight})` : '';
    const technique = reason.technique ? ` [${reason.technique}]` : '';
    return el('li', {}, badge(reason.verdict), ` ${reason.told}${weight}${technique}`);
  });
  const record = el('pre', { class: 'record', hidden: '' });
  const open = el('button', {
    type: 'button',
    click: async () => {
      const text = await data.record(call.row);
      record.textContent = text ?? 'This record is not on the page. Those of incidents’ findings are.';
      record.hidden = false;
    },
  }, 'Show the record');
  return el('div', {},
    el('p', {}, badge(call.verdict), ` ${moment(call.time)} `, code(data.text(calls.action[call.row]))),
    reasons.length > 0 ? el('ul', { class: 'why' }, ...reasons) : null,
    el('dl', { class: 'facts' },
      ...line('resource', data.text(calls.resource[call.row])),
      ...line('outcome', data.text(calls.error[call.row]) || 'succeeded'),
      ...line('from', data.text(calls.network[call.row])),
      ...line('Region', data.text(calls.region[call.row])),
      ...line('made with', data.text(calls.tool[call.row])),
      ...line('session', data.text(data.sessions.id[call.session])),
    ),
    open, record);
}

/** The calls as a table, some at a time. */
function callList(data, calls, show) {
  const body = el('tbody');
  const status = el('p', { class: 'note', role: 'status' });
  const all = el('input', { type: 'checkbox' });
  const more = el('button', { type: 'button' }, 'More');
  let shown = 0;
  const among = () => (all.checked ? calls : calls.filter((call) => call.verdict > 0));
  const add = () => {
    const list = among();
    for (const call of list.slice(shown, shown + LISTED_AT_ONCE)) body.append(callRow(data, call, show));
    shown = Math.min(list.length, shown + LISTED_AT_ONCE);
    status.textContent = `${count(shown)} of ${count(list.length)} ${all.checked ? 'calls' : 'findings'}`;
    more.hidden = shown >= list.length;
  };
  const again = () => {
    shown = 0;
    body.replaceChildren();
    add();
  };
  all.checked = !calls.some((call) => call.verdict > 0);
  all.addEventListener('change', again);
  more.addEventListener('click', add);
  const details = el('details', { class: 'calls' },
    el('summary', {}, `The calls as a list (${count(calls.length)})`),
    el('label', {}, all, ' normal calls too'),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Calls' },
      el('table', {},
        head('Time', 'Verdict', 'Call', 'Resource', 'Outcome', '#Weight'),
        body)),
    status, more);
  details.addEventListener('toggle', () => details.open && shown === 0 && add());
  return details;
}

function callRow(data, call, show) {
  const { calls } = data;
  const weight = data.weight(call);
  return el('tr', {},
    el('td', {}, el('button', { type: 'button', class: 'link', click: () => show(call) }, moment(call.time))),
    el('td', {}, badge(call.verdict)),
    el('td', {}, code(data.text(calls.action[call.row]))),
    el('td', {}, code(data.text(calls.resource[call.row]))),
    el('td', {}, data.text(calls.error[call.row]) || 'succeeded'),
    el('td', { class: 'number' }, weight ? weight.toFixed(2) : ''));
}
