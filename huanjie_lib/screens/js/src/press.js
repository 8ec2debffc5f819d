// A press under way: the browser makes a click of a press and a release of one and the same element, so that a redraw
// between them would take the press away. What the kernel or the server brings waits for the release.

const LONGEST = 10000; // ms that a press whose end never comes holds anything up
const PRESSED = 'button, a, label, summary, [type=checkbox]'; // a list that opens keeps its release to itself
const BEGINS = ['pointerdown', 'keydown'];
const ENDS = ['pointerup', 'pointercancel', 'keyup', 'contextmenu', 'blur'];

export class Press {
    constructor(box) {
        this.box = box;
        this.held = null; // timer of a press under way
        this.waiting = new Set();
        this.begin = ({ type, key, target }) => {
            if ((type === 'pointerdown' || key === ' ') && target.closest(PRESSED)) this.hold(LONGEST);
        };
        this.end = () => this.held !== null && this.hold(0); // the click comes in between
        for (const name of BEGINS) box.addEventListener(name, this.begin);
        for (const name of ENDS) addEventListener(name, this.end);
    }

    hold(time) {
        clearTimeout(this.held);
        this.held = setTimeout(() => {
            this.held = null;
            const waiting = [...this.waiting];
            this.waiting.clear();
            for (const act of waiting) act();
        }, time);
    }

    // Does something now, or once what is pressed has been let go; the same thing once only.
    when(act) {
        if (this.held === null) act();
        else this.waiting.add(act);
    }

    // Resolves as soon as nothing is pressed.
    over() {
        return new Promise((done) => this.when(done));
    }

    remove() {
        clearTimeout(this.held);
        for (const name of BEGINS) this.box.removeEventListener(name, this.begin);
        for (const name of ENDS) removeEventListener(name, this.end);
    }
}
