package spec

import (
	"strconv"
	"strings"
)

var units = []struct {
	suffix string
	factor float64
}{
	{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40},
	{"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
}

// amount is what a Kubernetes quantity of the kinds cpu and memory says, in cores or bytes.
func amount(text string) float64 {
	for _, unit := range units {
		if digits, ok := strings.CutSuffix(text, unit.suffix); ok {
			number, _ := strconv.ParseFloat(digits, 64)
			return number * unit.factor
		}
	}
	number, _ := strconv.ParseFloat(text, 64)
	return number
}

// Fits reports whether the request is within the limit.
func (q Quantity) Fits() bool { return amount(q.Request) <= amount(q.Limit) }

// LimitAmount is the limit in cores or bytes.
func (q Quantity) LimitAmount() float64 { return amount(q.Limit) }
