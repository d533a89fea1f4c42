package reports

import (
	"fmt"
	"image/color"
)

// swatch is a colour of plots. Its name is the variable, after "--plot-", by which a page
// gives it another value in the dark; files have its own.
type swatch struct {
	color.NRGBA
	name string
}

// String is the colour as CSS has it.
func (s swatch) String() string {
	out := fmt.Sprintf("#%02x%02x%02x", s.R, s.G, s.B)
	if s.A != 0xff {
		out += fmt.Sprintf("%02x", s.A)
	}
	return out
}

// Colours of plots. Vermilion is from Okabe and Ito's set, which people with any
// kind of colour vision tell apart; it stays clear of the sequential scale.
var (
	ink         = swatch{color.NRGBA{0x22, 0x26, 0x2b, 0xff}, "ink"}
	slate       = swatch{color.NRGBA{0x5b, 0x64, 0x70, 0xff}, "slate"}
	fog         = swatch{color.NRGBA{0x8a, 0x94, 0xa0, 0x60}, "fog"}
	haze        = swatch{color.NRGBA{0x8a, 0x94, 0xa0, 0xff}, "haze"} // of intervals: light, and yet seen
	mist        = swatch{color.NRGBA{0xe6, 0xe9, 0xed, 0xff}, "mist"}
	tint        = swatch{color.NRGBA{0xec, 0xf6, 0xee, 0xff}, "tint"}
	vermilion   = swatch{color.NRGBA{0xd5, 0x5e, 0x00, 0xff}, "vermilion"}
	planeColour = swatch{color.NRGBA{0xd5, 0x5e, 0x00, 0x2c}, "plane"}
	within5     = swatch{color.NRGBA{0xe3, 0xe8, 0xef, 0xff}, "within-5"} // per cent of error
	within10    = swatch{color.NRGBA{0xf2, 0xf4, 0xf7, 0xff}, "within-10"}
	paper       = swatch{color.NRGBA{0xff, 0xff, 0xff, 0xff}, "paper"} // the page's own --paper
)

// seriesColours keep filled series apart, also for people who tell few colours
// apart; a hollow one has the colour of the filled one before it.
var seriesColours = []swatch{
	{color.NRGBA{0x3b, 0x52, 0x8b, 0xff}, "series-0"}, vermilion,
	{color.NRGBA{0x21, 0x91, 0x8c, 0xff}, "series-2"}, {color.NRGBA{0x44, 0x01, 0x54, 0xff}, "series-3"},
}

// scaleSteps is how many colours a sequential scale has.
const scaleSteps = 16

// scaleEnds are where a sequential scale leads through, from light to dark: viridis (van
// der Walt and Smith), whose light end is darkened to stand out from white paper by 3:1.
var scaleEnds = []color.NRGBA{
	{0x7a, 0x9a, 0x0a, 0xff},
	{0x2f, 0x9b, 0x5f, 0xff},
	{0x1f, 0x8a, 0x86, 0xff},
	{0x3b, 0x52, 0x8b, 0xff},
	{0x44, 0x01, 0x54, 0xff},
}

// sequential is the colour of line i of n; the last is the darkest, in the dark the
// lightest.
func sequential(i, n int) swatch {
	step := scaleSteps - 1
	if n > 1 {
		step = (i*(scaleSteps-1) + (n-1)/2) / (n - 1)
	}
	at := float64(step) / (scaleSteps - 1) * float64(len(scaleEnds)-1)
	k := min(int(at), len(scaleEnds)-2)
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (at-float64(k))*(float64(b)-float64(a)) + 0.5) }
	a, b := scaleEnds[k], scaleEnds[k+1]
	return swatch{color.NRGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}, fmt.Sprintf("scale-%d", step)}
}
