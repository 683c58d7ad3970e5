package contractfuzz

import (
	"regexp/syntax"
	"strings"
)

// ofPattern makes a text that a regular expression matches; the shortest one when there are no choices. An expression that it cannot
// read gives "".
func ofPattern(pattern string, c *choices) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var out strings.Builder
	writePattern(&out, parsed.Simplify(), c)
	return out.String()
}

// most bounds how often what may be repeated without end is.
const most = 3

func writePattern(out *strings.Builder, re *syntax.Regexp, c *choices) {
	switch re.Op {
	case syntax.OpLiteral:
		out.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		out.WriteRune(ofClass(re.Rune, c))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		out.WriteRune([]rune("aé.")[c.below(3)])
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			writePattern(out, sub, c)
		}
	case syntax.OpAlternate:
		writePattern(out, re.Sub[c.below(len(re.Sub))], c)
	case syntax.OpQuest:
		repeatPattern(out, re.Sub[0], c.below(2), c)
	case syntax.OpStar:
		repeatPattern(out, re.Sub[0], c.below(most+1), c)
	case syntax.OpPlus:
		repeatPattern(out, re.Sub[0], 1+c.below(most), c)
	case syntax.OpRepeat:
		highest := re.Max
		if highest < 0 {
			highest = re.Min + most
		}
		repeatPattern(out, re.Sub[0], re.Min+c.below(highest-re.Min+1), c)
	}
}

func repeatPattern(out *strings.Builder, re *syntax.Regexp, times int, c *choices) {
	for range times {
		writePattern(out, re, c)
	}
}

// ofClass takes a rune of the ranges, of which each is a pair; a control character only where there is nothing else.
func ofClass(ranges []rune, c *choices) rune {
	var fit []rune
	for i := 0; i+1 < len(ranges); i += 2 {
		if low, high := max(ranges[i], ' '), ranges[i+1]; low <= high {
			if low == ' ' && high > 'a' { // a class of all but some
				low = 'a'
			}
			fit = append(fit, low, high)
		}
	}
	if len(fit) == 0 {
		fit = ranges
	}
	if len(fit) == 0 {
		return 'x'
	}
	at := 2 * c.below(len(fit)/2)
	low, high := fit[at], fit[at+1]
	return low + rune(c.below(min(int(high-low)+1, 256))) //nolint:gosec // below 256
}
