// The address bar of a screen: tells the kernel where a link leads, and shows where the screen stands.

const HERE = () => location.hash.slice(1);

function render({ model, el }) {
    el.hidden = true;
    let number = 0; // of the last link told
    let asked = null; // the link whose answer is awaited

    const ask = () => {
        const link = HERE();
        if (asked === null && link === model.get('fragment')) return;
        asked = link;
        number += 1;
        model.send({ link, number });
    };
    // What the viewer does here is a step that the back button takes back; the answer to a link is none.
    const show = () => {
        if (asked !== null) return;
        const fragment = model.get('fragment');
        if (fragment !== HERE()) history.pushState(null, '', fragment ? `#${fragment}` : location.pathname);
    };
    // An answer counts for the last link alone, and for the address only while that still says the link: the browser
    // changes the address first and tells of it later, so that the viewer may be further on than what was asked.
    const taken = (content) => {
        if (typeof content?.taken !== 'string' || content.number !== number) return;
        const link = asked;
        asked = null;
        const fragment = content.taken;
        if (HERE() !== link || fragment === link) return;
        history.replaceState(null, '', fragment ? `#${fragment}` : location.pathname);
    };
    // Escape goes one step up, as the button that says so does.
    const up = ({ key, target, defaultPrevented }) => {
        if (key !== 'Escape' || defaultPrevented || target.matches('input, textarea, select')) return;
        document.querySelector('.hj-screen:not(.hj-preview) [data-escape]')?.click();
    };

    model.on('change:fragment', show);
    model.on('msg:custom', taken);
    addEventListener('hashchange', ask);
    document.addEventListener('keydown', up);
    if (HERE()) ask();
    return () => {
        model.off('change:fragment', show);
        model.off('msg:custom', taken);
        removeEventListener('hashchange', ask);
        document.removeEventListener('keydown', up);
    };
}

export default { render };
