// Who minted whom: each credential a box, to the right of the one that it came from.

const BOX = { width: 250, height: 50, gap: 14, step: 300 };
const BOXES_MAX = 60;

function lineage(data, sessions, cut) {
  const shown = sessions.slice(0, BOXES_MAX);
  const among = new Set(shown);
  const parent = (session) => {
    const above = data.sessions.parent[session];
    return above !== session && among.has(above) ? above : -1;
  };
  const below = new Map();
  for (const session of shown) {
    const above = parent(session);
    below.set(above, [...(below.get(above) ?? []), session]);
  }
  const place = new Map();
  let lines = 0;
  const lay = (session, depth) => {
    if (place.has(session)) return;
    place.set(session, { x: depth * BOX.step, y: 0 });
    const children = below.get(session) ?? [];
    const first = lines;
    for (const child of children) lay(child, depth + 1);
    if (lines === first) lines += 1;
    place.get(session).y = first * (BOX.height + BOX.gap) + 2;
  };
  for (const root of below.get(-1) ?? []) lay(root, 0);
  const width = Math.max(...[...place.values()].map((at) => at.x)) + BOX.width + 4;
  const height = lines * (BOX.height + BOX.gap);
  const picture = svg('svg', { class: 'lineage', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': lineageInWords(data, shown, parent) });
  for (const [session, at] of place) {
    const from = place.get(parent(session));
    if (from) {
      const start = `${from.x + BOX.width + 2} ${from.y + BOX.height / 2}`;
      picture.append(svg('path', { class: 'edge', d: `M${start}C${from.x + BOX.step - 20} ${from.y + BOX.height / 2} ${at.x - 30} ${at.y + BOX.height / 2} ${at.x + 2} ${at.y + BOX.height / 2}` }));
    }
  }
  for (const [session, at] of place) picture.append(boxOf(data, session, at, cut.includes(session)));
  const more = sessions.length - shown.length;
  return el('figure', { class: 'scroll', tabindex: '0' }, picture,
    el('figcaption', {}, `Each credential and what it minted, left to right; a thick border is cut off.${more > 0 ? ` ${more} more are not drawn.` : ''}`));
}

function boxOf(data, session, at, isCut) {
  const { sessions } = data;
  const role = data.text(sessions.role[session]).split('/').pop();
  const lines = [
    data.agentOf(session).slice(0, 34),
    `${role.slice(0, 22)} ${clock(sessions.first[session])}`,
    data.text(sessions.id[session]).slice(0, 36),
  ];
  const verdict = sessions.verdict[session];
  return svg('g', { class: `box v${verdict}${isCut ? ' cut' : ''}`, transform: `translate(${at.x + 2} ${at.y})` },
    svg('title', {}, data.text(sessions.id[session])),
    svg('rect', { width: BOX.width, height: BOX.height, rx: 5 }),
    ...lines.map((line, nth) => svg('text', { class: nth === 0 ? 'name' : 'fine', x: 8, y: 15 + nth * 15 }, line)),
    svg('text', { class: 'fine', x: BOX.width - 8, y: 15, 'text-anchor': 'end' }, `${count(sessions.calls[session])} calls`));
}

function lineageInWords(data, sessions, parent) {
  return sessions.map((session) => {
    const above = parent(session);
    const by = above < 0 ? '' : ` minted by ${data.shortId(above)}`;
    return `${data.shortId(session)} of ${data.agentOf(session)}${by}`;
  }).join('; ');
}
