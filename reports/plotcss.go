package reports

// PlotCSS is what a page needs for the plots that [Drawing.Inline] writes. It sets
//
//   - the colours, --paper (of the page) and --plot-*, for light and dark: by the reader's
//     system, or by data-theme="light" or "dark" on the root element; paper is light;
//   - which of the two widths of a plot is shown;
//   - how a mark looks that the pointer is on or that has the focus.
//
// The scale from --plot-scale-0 to --plot-scale-15 gets darker in the light, lighter in the
// dark: what comes last stands out most. Of what is read, lines have a contrast of at least
// 3:1 and text of 4.5:1.
const PlotCSS = `:root {
` + lightColours + `}
@media (prefers-color-scheme: dark) { :root:not([data-theme=light]) {
` + darkColours + `} }
:root[data-theme=dark] {
` + darkColours + `}
@media print { :root, :root:not([data-theme=light]), :root[data-theme=dark] {
` + lightColours + `} }
svg.plot { display: block; width: 100%; height: auto; max-width: 60rem; margin-inline: auto; background: var(--paper); overflow: visible; }
svg.plot.narrow { display: none; max-width: 30rem; }
@media screen and (max-width: 40em) {
	svg.plot.wide { display: none; }
	svg.plot.narrow { display: block; }
}
svg.plot .mark { cursor: help; outline: none; }
svg.plot .mark circle { fill: transparent; stroke: none; }
svg.plot .mark:hover circle, svg.plot .mark:focus circle { stroke: var(--plot-ink); stroke-width: 1.5; }
svg.plot .mark:focus circle { stroke-width: 2.5; }
@media (forced-colors: active) { svg.plot { forced-color-adjust: none; } }
@media print { svg.plot { break-inside: avoid; } svg.plot .mark { display: none; } }
`

// lightColours are those of paper, and of a page in the light.
const lightColours = `	color-scheme: light;
	--paper:#ffffff;--plot-ink:#22262b;--plot-slate:#5b6470;--plot-fog:#8a94a060;--plot-haze:#8a94a0;
	--plot-mist:#e6e9ed;--plot-tint:#ecf6ee;--plot-vermilion:#d55e00;--plot-plane:#d55e002c;
	--plot-within-5:#e3e8ef;--plot-within-10:#f2f4f7;--plot-series-0:#3b528b;--plot-series-2:#21918c;
	--plot-series-3:#440154;--plot-scale-0:#7a9a0a;--plot-scale-1:#669a21;--plot-scale-2:#529b37;
	--plot-scale-3:#3e9b4e;--plot-scale-4:#2e9a62;--plot-scale-5:#2a956c;--plot-scale-6:#259176;
	--plot-scale-7:#218c81;--plot-scale-8:#238387;--plot-scale-9:#2a7488;--plot-scale-10:#326589;
	--plot-scale-11:#39568b;--plot-scale-12:#3d4280;--plot-scale-13:#3f2c71;--plot-scale-14:#421763;
	--plot-scale-15:#440154;
`

// darkColours are those of a page in the dark.
const darkColours = `	color-scheme: dark;
	--paper:#15181c;--plot-ink:#e6e9ed;--plot-slate:#a3adb8;--plot-fog:#8f9aa680;--plot-haze:#7c8794;
	--plot-mist:#2b3138;--plot-tint:#17271c;--plot-vermilion:#ff8b3d;--plot-plane:#ff8b3d38;
	--plot-within-5:#2a313a;--plot-within-10:#1f242b;--plot-series-0:#8fb1ff;--plot-series-2:#4fc4bd;
	--plot-series-3:#d9a2ff;--plot-scale-0:#8a68b8;--plot-scale-1:#8071c0;--plot-scale-2:#757ac8;
	--plot-scale-3:#6b82d0;--plot-scale-4:#618cd4;--plot-scale-5:#5796cb;--plot-scale-6:#4da0c2;
	--plot-scale-7:#44abb9;--plot-scale-8:#48b5af;--plot-scale-9:#59bfa4;--plot-scale-10:#6ac998;
	--plot-scale-11:#7bd38d;--plot-scale-12:#95db84;--plot-scale-13:#b3e27c;--plot-scale-14:#d0e973;
	--plot-scale-15:#eef06b;
`
