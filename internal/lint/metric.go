package lint

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/trellis-mesh/trellis/internal/spec"
)

// metrics proves that the service's own metrics are named as others expect.
func (c *checks) metrics(s *spec.Service) {
	prefix := strings.ReplaceAll(s.Name, "-", "_") + "_"
	for i, m := range s.Metrics {
		at := fmt.Sprintf("metrics[%d]", i)
		if !strings.HasPrefix(m.Name, prefix) {
			c.problems.Add(s.At(at+".name"), "call it "+prefix+m.Name, "%s.name: %s does not begin with %s, so it could be another service's", at, m.Name, prefix)
		}
		counter, total := m.Type == "counter", strings.HasSuffix(m.Name, "_total")
		if counter && !total {
			c.problems.Add(s.At(at+".name"), "call it "+m.Name+"_total", "%s.name: %s is a counter, and the names of counters end in _total", at, m.Name)
		}
		if !counter && total {
			c.problems.Add(s.At(at+".name"), "call it "+strings.TrimSuffix(m.Name, "_total"), "%s.name: %s is a %s, and only the names of counters end in _total", at, m.Name, m.Type)
		}
		if len(m.Buckets) > 0 && m.Type != "histogram" {
			c.problems.Add(s.At(at+".buckets"), "remove them, or make it a histogram", "%s.buckets: a %s has none", at, m.Type)
		}
		last := -1.0
		for j, text := range m.Buckets {
			bound, err := strconv.ParseFloat(text, 64)
			if err == nil && bound <= last {
				c.problems.Add(s.At(fmt.Sprintf("%s.buckets[%d]", at, j)), "put them in rising order", "%s.buckets: %s is not above the one before it", at, text)
			}
			last = bound
		}
	}
}
