// Elements without markup: text reaches the page as text nodes only.

export function h(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
        if (value === undefined || value === false) continue;
        if (name in element && name !== 'list' && name !== 'form') element[name] = value;
        else element.setAttribute(name, value === true ? '' : value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

// Focus lives through a redraw by data-key.
export function redraw(box, parts) {
    const active = box.contains(document.activeElement) ? document.activeElement : null;
    const key = active?.dataset.key;
    const at = active?.matches('textarea, input:not([type=date], [type=number], [type=file])')
        ? active.selectionStart
        : null;
    box.replaceChildren(...parts);
    const same = key && [...box.querySelectorAll('[data-key]')].find((part) => part.dataset.key === key);
    if (!same) return;
    same.focus({ preventScroll: true });
    if (at !== null) same.setSelectionRange(at, at);
}

const SIZES = ['字节', 'KB', 'MB', 'GB'];

export function sizeText(bytes) {
    let step = 0;
    while (bytes >= 1024 && step < SIZES.length - 1) {
        bytes /= 1024;
        step++;
    }
    return `${step ? bytes.toFixed(1) : bytes} ${SIZES[step]}`;
}
