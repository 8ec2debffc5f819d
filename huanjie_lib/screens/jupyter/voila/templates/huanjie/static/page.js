// The page around a screen. No script stands in the page itself, so that none has to be allowed there.

// The token has become a cookie by now: take it out of the address bar, which a projector shows.
if (location.search) history.replaceState(null, '', location.pathname);

// What Voilà calls while it runs the notebook; the screen shows itself when it is there.
window.voila_heartbeat = () => {};
window.voila_process = () => {};
window.voila_finish = () => {};

// The loading line goes when a screen, or its picture of itself, is there; the picture when the widgets are: a map,
// or what the picture waits for instead.
const screens = document.getElementsByClassName('hj-screen');
const arrival = new MutationObserver(() => {
    if (!screens.length) return;
    document.getElementById('loading')?.remove();
    const preview = document.querySelector('.hj-preview');
    if (preview && !document.querySelector(preview.dataset.until ?? 'canvas')) return;
    preview?.remove();
    arrival.disconnect();
});
arrival.observe(document, { childList: true, subtree: true });

const ASK_EVERY = 10000; // ms
const MISSED = 2; // answers without which the kernel is taken for gone

// Say so when the kernel behind the page is gone: a still picture must not pass for a live one.
addEventListener('load', () => {
    const settings = document.getElementById('jupyter-config-data');
    const notice = document.getElementById('hj-offline');
    if (!settings) return;
    const { baseUrl, kernelId } = JSON.parse(settings.textContent);
    let missed = 0;
    setInterval(async () => {
        const asked = fetch(`${baseUrl}api/kernels/${kernelId}`, { cache: 'no-store' });
        const alive = await asked.then((answer) => answer.ok).catch(() => false);
        missed = alive ? 0 : missed + 1;
        notice.hidden = missed < MISSED;
    }, ASK_EVERY);
});
