// What new weights and cut-offs do to every unit: the arithmetic of huanjie_lib/risk/rescoring.py and of the
// what-if screen, in the same order of operations, so that a page without a kernel finds the same colours.

const DECIMALS = 1e10; // an index is rounded to ten decimals, as in scoring
const SHOWN_POINTS = 0.05;
const DIMENSIONS_TOLD = 3;
export const WHOLE = 1000; // weights are set in tenths of a percent, cut-offs in tenths of a point

// By rank: 0 without data, 1 red, 2 yellow, 3 green.
export const CODE_OF_RANK = Uint8Array.of(0, 3, 2, 1);
const LABELS = ['无数据', '红色', '黄色', '绿色'];
const MARKS = ['无', '红', '黄', '绿'];

// Half to even, as numpy rounds; for numbers from 0 to 2^51.
const rint = (x) => x + 2 ** 52 - 2 ** 52;

// A number with fixed decimals as Python writes it: a tie goes to the even digit (toFixed rounds it up).
export function fixed(x, decimals) {
    const text = Math.abs(x).toFixed(decimals);
    const [whole, rest] = Math.abs(x).toFixed(80).split('.');
    if (!/^50*$/.test(rest.slice(decimals))) return (x < 0 ? '-' : '') + text;
    const cut = decimals ? `${whole}.${rest.slice(0, decimals)}` : whole;
    return (x < 0 ? '-' : '') + ('02468'.includes(cut[cut.length - 1]) ? cut : text);
}

// Whole numbers that sum to `total`, in proportion to shares; the largest remainders gain, the first of equals.
export function apportion(shares, total) {
    const scale = total / shares.reduce((a, b) => a + b, 0);
    const exact = shares.map((share) => share * scale);
    const whole = exact.map(Math.floor);
    const left = total - whole.reduce((a, b) => a + b, 0);
    const order = shares.map((_, i) => i).sort((a, b) => whole[a] - exact[a] - (whole[b] - exact[b]) || a - b);
    for (const i of order.slice(0, left)) whole[i]++;
    return whole;
}

// Sets one weight; the others that are not held give or take in proportion.
export function rebalance(shares, position, value, held, spare) {
    const free = shares.map((_, i) => i).filter((i) => i !== position && !held.includes(i));
    const room = sum(shares) - sum(held.map((i) => shares[i]));
    const out = [...shares];
    out[position] = free.length ? Math.min(value, room) : room;
    const basis = sum(free.map((i) => shares[i])) > 0 ? shares : spare;
    const whole = sum(free.map((i) => basis[i]));
    for (const i of free) out[i] = ((room - out[position]) * basis[i]) / whole;
    return out;
}

function sum(numbers) {
    return numbers.reduce((a, b) => a + b, 0);
}

// What is tried, and what it does. Dials are the dimensions and then `yellow_from` and `green_from`.
export class Trial {
    // losses: Float64Array (dimension, unit, snapshot): the snapshots before, oldest first, then the current one
    // under the missing policy, at its worst and at its best; scored: Uint8Array (unit, snapshot), those before
    // and the current one; dimensions: { label, weight }; cuts: yellow_from, green_from, improve_margin,
    // worsen_margin.
    constructor({ losses, scored, dimensions, cuts, units }) {
        Object.assign(this, { losses, scored, dimensions, cuts, units });
        this.snapshots = scored.length / units;
        this.adoptedWeights = dimensions.map(({ weight }) => weight);
        const all = sum(this.adoptedWeights);
        this.start = this.adoptedWeights.map((weight) => (WHOLE * weight) / all);
        this.adoptedTenths = apportion(this.start, WHOLE);
        this.restore();
        this.adopted = this.#rescore(this.adoptedWeights, cuts);
    }

    restore() {
        this.shares = [...this.start];
        this.locked = this.shares.map(() => false);
        this.yellow = this.cuts.yellow_from;
        this.green = this.cuts.green_from;
    }

    get tenths() {
        return apportion(this.shares, WHOLE);
    }

    get weights() {
        const { tenths } = this;
        const same = tenths.every((tenth, i) => tenth === this.adoptedTenths[i]);
        return same ? this.adoptedWeights : tenths.map((tenth) => tenth / WHOLE);
    }

    get isAdopted() {
        const { cuts } = this;
        return this.weights === this.adoptedWeights && this.yellow === cuts.yellow_from && this.green === cuts.green_from;
    }

    isHeld(i) {
        return this.locked[i] || !this.adoptedWeights[i];
    }

    isFixed(i) {
        return this.isHeld(i) || this.shares.every((_, other) => other === i || this.isHeld(other));
    }

    // Sets a weight; a locked one is held at what is shown of it.
    weigh(at, value) {
        if (this.isFixed(at)) return;
        const { tenths } = this;
        const held = tenths.map((_, i) => i).filter((i) => i !== at && this.isHeld(i));
        const room = WHOLE - sum(held.map((i) => tenths[i]));
        const free = sum(this.shares.filter((_, i) => !held.includes(i)));
        const scale = free ? room / free : 0;
        const shares = this.shares.map((share, i) => (held.includes(i) ? tenths[i] : share * scale));
        this.shares = rebalance(shares, at, value, held, this.start);
    }

    // A cut-off stops a tenth of a point from the other one.
    cut(name, value) {
        if (name === 'green_from') {
            while (value / 10 <= this.yellow) value++;
            this.green = value / 10;
        } else {
            while (value / 10 >= this.green) value--;
            this.yellow = value / 10;
        }
    }

    // All units as they are under what is tried.
    scores() {
        return this.#rescore(this.weights, { ...this.cuts, yellow_from: this.yellow, green_from: this.green });
    }

    #rescore(weights, cuts) {
        const { losses, scored, units, snapshots } = this;
        const columns = snapshots + 2;
        const { yellow_from: yellow, green_from: green, improve_margin: improve, worsen_margin: worsen } = cuts;
        const plain = (x) => 1 + (x >= yellow) + (x >= green);
        const held = (x, before) =>
            before ? Math.min(Math.max(before, plain(x - improve)), plain(x + worsen)) : plain(x);
        const index = new Float64Array(units);
        const rank = new Uint8Array(units);
        const plainRank = new Uint8Array(units);
        const toVerify = new Uint8Array(units);
        const path = new Float64Array(columns);
        for (let i = 0; i < units; i++) {
            path.fill(0);
            for (let d = 0; d < weights.length; d++) {
                const from = (d * units + i) * columns;
                for (let k = 0; k < columns; k++) path[k] += losses[from + k] * weights[d];
            }
            for (let k = 0; k < columns; k++) path[k] = rint((100 - path[k]) * DECIMALS) / DECIMALS;
            let before = 0;
            for (let k = 0; k < snapshots - 1; k++) {
                before = scored[i * snapshots + k] ? held(path[k], before) : 0;
            }
            const now = path[snapshots - 1];
            const isScored = scored[i * snapshots + snapshots - 1];
            index[i] = now;
            rank[i] = isScored ? held(now, before) : 0;
            plainRank[i] = isScored ? plain(now) : 0;
            toVerify[i] = held(path[snapshots], before) !== held(path[snapshots + 1], before);
        }
        return { weights, cuts, index, rank, plainRank, toVerify };
    }

    // The adopted index of one unit at every snapshot; null where it had no data.
    course(i) {
        const { losses, scored, units, snapshots } = this;
        return Array.from({ length: snapshots }, (_, k) => {
            if (!scored[i * snapshots + k]) return null;
            let lost = 0;
            this.adoptedWeights.forEach((weight, d) => {
                lost += losses[(d * units + i) * (snapshots + 2) + k] * weight;
            });
            return rint((100 - lost) * DECIMALS) / DECIMALS;
        });
    }

    // What a unit loses on a dimension now, per unit of the dimension's weight.
    lost(i, d) {
        return this.losses[(d * this.units + i) * (this.snapshots + 2) + this.snapshots - 1];
    }

    // Who changes colour: worse before better, then from red to green, the lowest new index first.
    changed({ rank, index }) {
        const { rank: old } = this.adopted;
        const better = (i) => Number(rank[i] > old[i]);
        return Array.from(rank.keys())
            .filter((i) => rank[i] !== old[i])
            .sort((a, b) => better(a) - better(b) || rank[a] - rank[b] || index[a] - index[b] || a - b);
    }

    // Both indices, with as many decimals as tell them apart where the colour changes.
    texts(i, tried) {
        const [before, after] = [this.adopted.index[i], tried.index[i]];
        let decimals = 1;
        while (
            this.adopted.rank[i] !== tried.rank[i] &&
            before !== after &&
            fixed(before, decimals) === fixed(after, decimals)
        ) {
            decimals++;
        }
        return [fixed(before, decimals), fixed(after, decimals)];
    }

    // Which weights and cut-offs make a unit's colour and index what they are under what is tried.
    reason(i, tried) {
        const said = this.#reasons(i, tried);
        return said.length ? `${said.join('；')}。` : '';
    }

    // The same with both colours and indices, as one sentence.
    explain(i, tried) {
        const [old, now] = [this.adopted.rank[i], tried.rank[i]];
        if (!now) return '没有一项数据，不评等级，权重和分界线对它没有影响。';
        const colour = old !== now ? `由${MARKS[old]}转${MARKS[now]}` : `颜色不变，仍为${LABELS[now]}`;
        const [before, after] = this.texts(i, tried);
        const verb = tried.index[i] > this.adopted.index[i] ? '升' : '降';
        const movement = before === after ? `指数${after}不变` : `指数由${before}${verb}到${after}`;
        return `${colour}：${[movement, ...this.#reasons(i, tried)].join('；')}。`;
    }

    #reasons(i, tried) {
        return [...this.#weightsSaid(i, tried), ...this.#cutsSaid(i, tried), ...this.#heldSaid(i, tried)];
    }

    #weightsSaid(i, tried) {
        const shares = this.adoptedWeights.map((weight, d) => (weight - tried.weights[d]) * this.lost(i, d));
        const most = shares
            .map((_, d) => d)
            .sort((a, b) => Math.abs(shares[b]) - Math.abs(shares[a]) || a - b)
            .slice(0, DIMENSIONS_TOLD)
            .filter((d) => Math.abs(shares[d]) >= SHOWN_POINTS);
        if (!most.length && this.adopted.rank[i] !== tried.rank[i] && shares.some((share) => share)) {
            return ['各项权重的影响都不到0.1分'];
        }
        return most.map((d) => {
            const [before, after] = [this.adoptedWeights[d], tried.weights[d]];
            const verb = after > before ? '升' : '降';
            const effect = shares[d] > 0 ? '少扣' : '多扣';
            const move = `由${percent(before)}${verb}到${percent(after)}`;
            return `${this.dimensions[d].label}权重${move}，${effect}${fixed(Math.abs(shares[d]), 1)}分`;
        });
    }

    #cutsSaid(i, tried) {
        const cuts = { 2: ['黄色', 'yellow_from'], 3: ['绿色', 'green_from'] };
        const [low, high] = [this.adopted.rank[i], tried.rank[i]].sort();
        const said = [];
        for (let rank = low + 1; rank <= high; rank++) {
            const [label, name] = cuts[rank];
            const [before, after] = [this.cuts[name], tried.cuts[name]];
            if (before !== after) said.push(`${label}分界线由${before}分${after > before ? '提' : '降'}到${after}分`);
        }
        return said;
    }

    #heldSaid(i, tried) {
        const sides = [
            ['现行颜色', this.adopted],
            ['方案颜色', tried],
        ];
        return sides
            .filter(([, { rank, plainRank }]) => rank[i] !== plainRank[i])
            .map(([side, { rank }]) => `${side}按防跳动规则计为${LABELS[rank[i]]}`);
    }
}

function percent(weight) {
    return `${Number(fixed(100 * weight, 1))}%`;
}
