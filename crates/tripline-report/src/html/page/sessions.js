// All sessions, filtered, some at a time; one of them opened.

const SESSIONS_AT_ONCE = 100;

function sessionsView(data, root) {
  const detail = el('div', { class: 'opened', tabindex: '-1' });
  const body = el('tbody');
  const status = el('p', { class: 'note', role: 'status' });
  const more = el('button', { type: 'button' }, 'More');
  const search = el('input', { type: 'search', id: 'session-search', placeholder: 'agent, session, role, account' });
  const least = el('select', { id: 'session-verdict' }, ...VERDICTS.map((name, nth) => el('option', { value: nth }, nth === 0 ? 'any verdict' : `${name} or stronger`)));
  const whose = el('select', { id: 'session-whose' },
    el('option', { value: 'all' }, 'everybody’s'), el('option', { value: 'agents' }, 'agents’'), el('option', { value: 'nobody' }, 'nobody’s'));
  let found = [];
  let shown = 0;

  const add = () => {
    for (const session of found.slice(shown, shown + SESSIONS_AT_ONCE)) body.append(sessionRow(data, session, open));
    shown = Math.min(found.length, shown + SESSIONS_AT_ONCE);
    status.textContent = `${count(shown)} of ${count(found.length)} sessions; ${count(data.sessionCount)} in all`;
    more.hidden = shown >= found.length;
  };
  const again = () => {
    found = find(data, search.value, Number(least.value), whose.value);
    shown = 0;
    body.replaceChildren();
    add();
  };
  const open = (session) => {
    detail.replaceChildren(sessionDetail(data, session));
    detail.scrollIntoView({ block: 'nearest' });
    detail.focus({ preventScroll: true });
  };
  search.addEventListener('input', again);
  least.addEventListener('change', again);
  whose.addEventListener('change', again);
  more.addEventListener('click', add);
  again();
  root.append(
    el('form', { class: 'filters', role: 'search', submit: (event) => event.preventDefault() },
      el('label', { for: 'session-search' }, 'Search'), search,
      el('label', { for: 'session-verdict' }, 'Verdict'), least,
      el('label', { for: 'session-whose' }, 'Whose'), whose),
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Sessions' },
      el('table', { class: 'sessions' },
        head('First call', 'Strongest', '#Findings', '#Calls', 'Agent', 'Session', 'Role'),
        body)),
    status, more, detail);
}

function find(data, text, least, whose) {
  const { sessions } = data;
  const wanted = text.trim().toLowerCase();
  const fits = (session) => {
    if (sessions.verdict[session] < least) return false;
    if (whose !== 'all' && (sessions.agent[session] < 0) !== (whose === 'nobody')) return false;
    if (wanted === '') return true;
    return ['agent', 'id', 'role', 'account'].some((column) => data.text(sessions[column][session]).toLowerCase().includes(wanted));
  };
  const found = [];
  for (let session = 0; session < data.sessionCount; session += 1) if (fits(session)) found.push(session);
  return found.sort((one, other) => sessions.verdict[other] - sessions.verdict[one] || sessions.first[one] - sessions.first[other]);
}

function sessionRow(data, session, open) {
  const { sessions } = data;
  return el('tr', {},
    el('td', {}, moment(sessions.first[session])),
    el('td', {}, badge(sessions.verdict[session])),
    el('td', { class: 'number' }, count(sessions.findings[session])),
    el('td', { class: 'number' }, count(sessions.calls[session])),
    el('td', {}, el('bdi', {}, data.text(sessions.agent[session]) || `– (${data.text(sessions.basis[session])})`)),
    el('td', {}, el('button', { type: 'button', class: 'link', click: () => open(session) }, data.shortId(session))),
    el('td', {}, code(data.text(sessions.role[session]).split(':role/').pop())));
}

/** The sessions of one agent's chain that a session belongs to, and those above it. */
function family(data, session) {
  const { sessions } = data;
  const root = sessions.root[session];
  const found = new Set();
  for (let other = 0; other < data.sessionCount; other += 1) if (sessions.root[other] === root) found.add(other);
  found.add(session);
  for (let above = sessions.parent[root < 0 ? session : root]; above >= 0 && !found.has(above); above = sessions.parent[above]) found.add(above);
  return [...found].sort((one, other) => one - other);
}

function sessionDetail(data, session) {
  const { sessions } = data;
  const line = (name, text) => (text ? [el('dt', {}, name), el('dd', {}, code(text))] : []);
  return el('article', {},
    el('h3', {}, badge(sessions.verdict[session]), ' ', el('bdi', {}, data.agentOf(session))),
    el('dl', { class: 'facts' },
      ...line('session', data.text(sessions.id[session])),
      ...line('role', data.text(sessions.role[session])),
      ...line('account', data.text(sessions.account[session])),
      ...line('known by', data.text(sessions.basis[session])),
      ...line('first call', moment(sessions.first[session])),
      ...line('last call', moment(sessions.last[session])),
      ...line('ends by', sessions.ends[session] < 0 ? '' : moment(sessions.ends[session]))),
    lineage(data, family(data, session), []),
    timeline(data, [session], {}));
}
