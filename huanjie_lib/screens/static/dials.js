// Sliders, locks and figures of a what-if: tells every move, shows what the kernel answers.
//
// One message a move and one answer with everything: a slider widget each would send seven, three times the
// bytes. While an answer is awaited only the newest move is kept, so that a drag never queues up.

const REST = 250; // ms without a move before the kernel is asked for what is not drawn at every move
const LOST = 10000; // ms after which an answer that has not come is taken for lost, as when a connection broke
const COARSE = 10; // units an arrow key moves; one with Shift

function render({ model, el }) {
    const box = el.appendChild(document.createElement('div'));
    box.className = 'hj-panel-body';
    box.innerHTML = model.get('html');

    const dials = [...box.querySelectorAll('[data-dial]')];
    const outputs = dials.map(({ id }) => box.querySelector(`output[for="${id}"]`));
    const locks = [...box.querySelectorAll('[data-action="lock"]')];
    const counts = [...box.querySelectorAll('[data-figure]')];

    const queue = []; // moves not yet told; of one dial the newest only
    let awaited = false;
    let resting;
    let lost;

    const pump = () => {
        if (awaited || !queue.length) return;
        const { action, value } = queue.shift();
        awaited = true;
        clearTimeout(lost);
        lost = setTimeout(again, LOST);
        model.send({ action, value });
    };
    // Whatever was lost, the answer to this one tells where everything stands.
    const again = () => {
        awaited = false;
        if (!queue.length) queue.push({ action: 'rest', value: '' });
        pump();
    };
    const move = (action, value, dial) => {
        el.closest('.hj-screen')?.classList.add('hj-moving');
        if (dial && queue.at(-1)?.dial === dial) queue.pop();
        queue.push({ action, value, dial });
        clearTimeout(resting);
        resting = setTimeout(() => {
            queue.push({ action: 'rest', value: '' });
            pump();
        }, REST);
        pump();
    };

    const show = () => {
        const figures = model.get('figures');
        dials.forEach((dial, i) => {
            const value = figures.dials[i];
            if (!queue.some((waiting) => waiting.dial === dial)) dial.value = value;
            dial.disabled = figures.fixed[i];
            const text = `${(value / 10).toFixed(1)}${dial.dataset.unit}`;
            outputs[i].textContent = text;
            dial.setAttribute('aria-valuetext', text);
            dial.style.setProperty('--at', `${value / 10}%`);
            box.style.setProperty(`--${dial.dataset.dial}`, `${value / 10}%`);
        });
        locks.forEach((lock, i) => lock.setAttribute('aria-pressed', String(Boolean(figures.locked[i]))));
        counts.forEach((part, i) => {
            const [count, change] = figures.counts[i];
            part.textContent = count.toLocaleString('zh-CN');
            const note = box.querySelector(`[data-change="${part.dataset.figure}"]`);
            if (note) showChange(note, change);
        });
        el.closest('.hj-screen')?.classList.toggle('hj-moving', queue.length > 0 || !figures.rested);
    };
    const answered = () => {
        awaited = false;
        clearTimeout(lost);
        show();
        pump();
    };

    box.addEventListener('input', ({ target }) => {
        if (target.dataset.dial) move('move', `${target.dataset.dial} ${target.value}`, target);
    });
    box.addEventListener('keydown', (event) => {
        const { target, key, shiftKey } = event;
        const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[key];
        if (!step || !target.dataset.dial) return;
        event.preventDefault();
        target.value = Number(target.value) + step * (shiftKey ? 1 : COARSE);
        target.dispatchEvent(new Event('input', { bubbles: true }));
    });
    box.addEventListener('click', ({ target }) => {
        const part = target.closest('button[data-action]');
        if (part) move(part.dataset.action, part.dataset.value ?? '');
    });

    model.on('change:figures', answered);
    show();
    return () => {
        clearTimeout(resting);
        clearTimeout(lost);
        model.off('change:figures', answered);
    };
}

// A change with its sign; data-good is the direction that is good news: 1 up, -1 down, 0 neither.
function showChange(note, change) {
    const good = Math.sign(change) * Number(note.dataset.good);
    note.textContent = change ? `${change > 0 ? '+' : '−'}${Math.abs(change).toLocaleString('zh-CN')}` : '持平';
    note.classList.toggle('hj-good', good > 0);
    note.classList.toggle('hj-bad', good < 0);
}

export default { render };
