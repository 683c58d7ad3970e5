package expect

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Match holds a JSON text against the shape, and gives a line for each part that cannot be read.
func (s *Shape) Match(text []byte) []string {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return []string{"it is no JSON: " + err.Error()}
	}
	return s.match("", value)
}

func (s *Shape) match(at string, value any) []string {
	what := at
	if what == "" {
		what = "it"
	}
	fits := false
	switch value := value.(type) {
	case map[string]any:
		if s.Type == Object {
			return s.fields(at, value)
		}
	case []any:
		if s.Type == Array {
			var lines []string
			for i, item := range value {
				lines = append(lines, s.Items.match(fmt.Sprintf("%s[%d]", at, i), item)...)
			}
			return lines
		}
	case string:
		if len(s.Values) > 0 && !slices.Contains(s.Values, value) {
			return []string{fmt.Sprintf("%s is %q, which the consumer does not know", what, value)}
		}
		_, err := time.Parse(time.RFC3339, value)
		fits = s.Type == String || s.Type == Time && err == nil
	case float64:
		fits = s.Type == Number || s.Type == Integer && value == math.Trunc(value)
	case bool:
		fits = s.Type == Boolean
	}
	if fits {
		return nil
	}
	shown, _ := json.Marshal(value) // it was read from JSON
	return []string{fmt.Sprintf("%s is %s, and the consumer reads %s", what, shown, article(s.Type))}
}

func (s *Shape) fields(at string, object map[string]any) []string {
	var lines []string
	for _, field := range s.Fields {
		value, there := object[field.Name]
		switch {
		case there && value != nil:
			lines = append(lines, field.match(join(at, field.Name), value)...)
		case !field.Optional:
			lines = append(lines, join(at, field.Name)+" is missing")
		}
	}
	return lines
}
