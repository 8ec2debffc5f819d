// The page around a screen. No script stands in the page itself, so that none has to be allowed there.

// The token has become a cookie by now: take it out of the address bar, which a projector shows. What else the query
// says is where to go, and stands behind the # from here on, where going there costs no other page.
const asked = new URLSearchParams(location.search);
asked.delete('token');
const place = asked.toString() ? `#${asked}` : location.hash;
if (location.search) history.replaceState(null, '', location.pathname + place);

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

// Whoever waits is told why, and in the end what to do.
const SLOW = [
    [8000, '正在载入，比平时慢一些：可能同时打开的人较多……'],
    [45000, '仍在载入。请再等一会儿；两分钟后还没有打开时请刷新页面，仍不行时请联系管理员。'],
];
for (const [after, text] of SLOW) {
    setTimeout(() => {
        const line = document.querySelector('#loading .hj-loading-text');
        if (line) line.textContent = text;
    }, after);
}

// Who looks, where the screen itself does not know: the server does.
let viewer = null;
function showViewer() {
    for (const part of document.querySelectorAll('.hj-viewer')) {
        if (!viewer || part.childElementCount) continue;
        const [office, account] = ['strong', 'span'].map((tag) => document.createElement(tag));
        office.textContent = viewer.office;
        account.textContent = viewer.account;
        part.append(office, account);
    }
}
new MutationObserver(showViewer).observe(document, { childList: true, subtree: true });

const ASK_EVERY = 10000; // ms
const MISSED = 2; // answers without which the kernel is taken for gone

// Say so when the kernel behind the page is gone: a still picture must not pass for a live one.
addEventListener('load', () => {
    const settings = document.getElementById('jupyter-config-data');
    const notice = document.getElementById('hj-offline');
    if (!settings) return;
    const { baseUrl, kernelId } = JSON.parse(settings.textContent);
    let missed = 0;
    const ask = async () => {
        const answer = await fetch(`${baseUrl}api/kernels/${kernelId}`, { cache: 'no-store' }).catch(() => null);
        missed = answer?.ok ? 0 : missed + 1;
        notice.hidden = missed < MISSED;
        if (answer?.ok && !viewer) {
            viewer = (await answer.json()).viewer ?? null;
            showViewer();
        }
    };
    ask();
    setInterval(ask, ASK_EVERY);
});

// A canvas is printed as it stands on the screen, scaled to the paper. CSS pixels that a map may take of A4: across between
// the margins, and down, with the figures above it and room for words below it.
const ACROSS = 690;
const DOWN = { '--hj-print': 430, '--hj-print-lying': 340 };
addEventListener('beforeprint', () => {
    const map = document.querySelector('.hj-screen:not(.hj-preview) .hj-area-map');
    if (!map) return;
    const { offsetWidth: width, offsetHeight: height } = map;
    const told = { '--hj-map-width': `${width}px`, '--hj-map-height': `${height}px` };
    for (const [name, down] of Object.entries(DOWN)) told[name] = Math.min(1, ACROSS / width, down / height);
    for (const [name, value] of Object.entries(told)) map.style.setProperty(name, value);
});
