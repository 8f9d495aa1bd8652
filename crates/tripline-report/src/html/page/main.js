// Drawn when it comes into view: what nobody looks at costs nothing.

async function main() {
  const data = new Data(await unpack('data'));
  const drawIncident = (box) => {
    const incident = data.incidents[Number(box.dataset.incident)];
    if (!incident || box.childElementCount > 0) return;
    box.append(
      timeline(data, incident.sessions, { opened: incident.opened, cut: incident.cut, done: incident.marks }),
      lineage(data, incident.chain, incident.cut));
  };
  const parts = new Map([...document.querySelectorAll('[data-incident]')].map((box) => [box, drawIncident]));
  parts.set(document.querySelector('[data-sessions]'), (box) => box.childElementCount > 0 || sessionsView(data, box));
  parts.set(document.querySelector('[data-agents]'), (box) => box.childElementCount > 0 || agentsView(data, box));
  const watcher = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      parts.get(target)(target);
    }
  }, { rootMargin: '400px' });
  for (const box of parts.keys()) watcher.observe(box);
  // On paper there is no scrolling and nothing to press.
  window.addEventListener('beforeprint', () => {
    for (const [box, draw] of parts) draw(box);
    for (const details of document.querySelectorAll('.incident details:not(.calls)')) details.open = true;
  });
  document.documentElement.dataset.ready = 'yes';
}

main().catch((error) => {
  document.querySelector('[data-sessions]').textContent =
    `This viewer cannot unpack the data of the page (${error.message}). A browser of 2023 or later can.`;
  document.documentElement.dataset.ready = 'failed';
});
