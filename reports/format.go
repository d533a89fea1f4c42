package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"lathe/profiler/stat"
)

// none stands for a figure that is not there.
const none = "-"

// fixed prints a column of positive numbers with as many decimals as give the
// least of them three significant digits, between 0 and 3, so that the decimal
// points are below each other.
type fixed int

func decimalsFor(values ...float64) fixed {
	least := math.Inf(1)
	for _, v := range values {
		if v > 0 {
			least = min(least, v)
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return fixed(min(max(2-int(math.Floor(math.Log10(least))), 0), 3))
}

func (d fixed) text(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return none
	}
	return strconv.FormatFloat(v, 'f', int(d), 64)
}

// ratio prints a ratio to the baseline: three decimals, a tenth of a per cent.
func ratio(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) || v <= 0 {
		return none
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

// change prints a ratio as a change in per cent: 0.7654 is -23.5 %.
func change(r float64) string { return signed(100*(r-1)) + " %" }

func signed(percent float64) string {
	s := strconv.FormatFloat(percent, 'f', 1, 64)
	switch {
	case s == "-0.0":
		return "0.0"
	case percent > 0 && s != "0.0":
		return "+" + s
	}
	return s
}

// known is the interval if it has two finite ends.
func known(iv *stat.Interval) (stat.Interval, bool) {
	if iv == nil || !iv.Finite() || *iv == (stat.Interval{}) {
		return stat.Interval{}, false
	}
	return *iv, true
}

// withInterval appends an interval to a figure, or a dash.
func withInterval(figure string, iv *stat.Interval, text func(float64) string) string {
	ci, ok := known(iv)
	if !ok {
		return figure + " [-]"
	}
	return fmt.Sprintf("%s [%s, %s]", figure, text(ci.Low), text(ci.High))
}

// percent prints a share.
func percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return none
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// millions prints a count in whole millions, truncated as the paper prints them:
// 204,717,056 is 204M. Of less than ten million it has one decimal, of less than one million
// it is whole thousands.
func millions(n int64) string {
	switch {
	case n < 1e6:
		return strconv.FormatInt(n/1e3, 10) + "k"
	case n < 1e7:
		return strconv.FormatFloat(float64(n/1e5)/10, 'f', 1, 64) + "M"
	}
	return strconv.FormatInt(n/1e6, 10) + "M"
}

// grouped prints a count with its thousands apart.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var out strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out.WriteByte(',')
		}
		out.WriteRune(d)
	}
	return sign + out.String()
}

// scaled prints a size to three digits with a decimal prefix: 810 MB.
func scaled(n int64, unit string) string {
	v, prefix := float64(n), ""
	for _, p := range []string{"k", "M", "G", "T"} {
		if math.Abs(v) < 999.5 {
			break
		}
		v, prefix = v/1000, p
	}
	if prefix == "" {
		return strings.TrimSpace(fmt.Sprintf("%d %s", n, unit))
	}
	decimals := 2
	for limit := 9.995; math.Abs(v) >= limit && decimals > 0; limit *= 10 {
		decimals--
	}
	return strings.TrimSpace(strconv.FormatFloat(v, 'f', decimals, 64) + " " + prefix + unit)
}

// Count is a number with the noun that it counts, such as "3 points".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
