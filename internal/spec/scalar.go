package spec

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// fault is what is wrong with one value: the message goes after the field's name.
type fault struct{ message, remedy string }

var (
	durationType    = reflect.TypeFor[time.Duration]()
	durationPattern = whole(`([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h))+`)
	daysPattern     = whole(`[0-9]{1,5}d`)
)

// assign sets v from a scalar node, by the rules of its field.
func assign(n *yaml.Node, v reflect.Value, r rules) *fault {
	tag := n.ShortTag()
	if tag == "!!null" {
		return &fault{"has no value", "write one, or remove the line" + r.fallback()}
	}
	text := n.Value
	switch {
	case v.Type() == durationType:
		if tag == "!!int" || tag == "!!float" {
			return &fault{fmt.Sprintf("is %s, without a unit", clip(text)), r.advice()}
		}
	case v.Kind() == reflect.String:
		if number := tag == "!!int" || tag == "!!float"; tag != "!!str" && (!number || !kinds[r.is].numeric) {
			return &fault{"must be text, not " + describe(n), fmt.Sprintf("put it in quotes: %q", clip(text))}
		}
	case tag != "!!int" && (tag != "!!float" || v.Kind() == reflect.Int):
		return &fault{"must be a number, not " + describe(n), r.advice()}
	}
	return set(text, v, r)
}

// set parses text into v. It is used for defaults too, so that both are read alike.
func set(text string, v reflect.Value, r rules) *fault {
	switch {
	case v.Type() == durationType:
		return setDuration(text, v, r)
	case v.Kind() == reflect.String:
		if f := r.text(text); f != nil {
			return f
		}
		v.SetString(text)
	case v.Kind() == reflect.Int:
		number, err := strconv.Atoi(text)
		if err != nil {
			return &fault{fmt.Sprintf("must be a whole number, not %s", clip(text)), r.advice()}
		}
		v.SetInt(int64(number))
		return r.bounds(float64(number), text)
	default:
		number, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(number) {
			return &fault{fmt.Sprintf("must be a number, not %s", clip(text)), r.advice()}
		}
		v.SetFloat(number)
		return r.bounds(number, text)
	}
	return nil
}

func setDuration(text string, v reflect.Value, r rules) *fault {
	d, err := parseDuration(text, r.days())
	if err != nil {
		return &fault{fmt.Sprintf("is %q, which is no duration", clip(text)), r.advice()}
	}
	v.SetInt(int64(d))
	return r.bounds(float64(d), text)
}

// parseDuration reads 800ms, 2s, 1m30s, 12h and, where days are allowed, 30d.
func parseDuration(text string, days bool) (time.Duration, error) {
	if days && daysPattern.MatchString(text) {
		n, err := strconv.Atoi(strings.TrimSuffix(text, "d"))
		return time.Duration(n) * 24 * time.Hour, err
	}
	if !durationPattern.MatchString(text) {
		return 0, fmt.Errorf("%q is no duration", text)
	}
	return time.ParseDuration(text)
}

// rules are what the tags of a field say, and what the field around it hands down.
type rules struct {
	tag      reflect.StructTag
	is       string
	standard string // the default, as written
}

// inherit gives the rules of a field of a struct that itself has the rules r.
func (r rules) inherit(f reflect.StructField) rules {
	inner := rules{tag: f.Tag, is: f.Tag.Get("is"), standard: f.Tag.Get("default")}
	if inner.is == "" {
		inner.is = r.is
	}
	for pair := range strings.SplitSeq(r.tag.Get("with"), ",") {
		if key, value, ok := strings.Cut(pair, "="); ok && key == f.Tag.Get("yaml") {
			inner.standard = value
		}
	}
	return inner
}

func (r rules) days() bool { return strings.Contains(r.tag.Get("range"), "d") }

// enum gives the allowed values, nil when there is no such list.
func (r rules) enum() []string {
	if list := r.tag.Get("enum"); list != "" {
		return strings.Split(list, ",")
	}
	return nil
}

func (r rules) fallback() string {
	if r.standard == "" {
		return ""
	}
	return "; without it the default is " + r.standard
}

// advice tells how to write a number or a duration.
func (r rules) advice() string {
	low, high, _ := strings.Cut(r.tag.Get("range"), "..")
	what := "value"
	if strings.IndexFunc(low, unicode.IsLetter) >= 0 {
		what = "duration"
	}
	return fmt.Sprintf("write a %s from %s to %s%s", what, low, high, r.fallback())
}

// text checks a text by its list of values or its kind.
func (r rules) text(text string) *fault {
	if values := r.enum(); values != nil {
		for _, value := range values {
			if text == value {
				return nil
			}
		}
		return &fault{fmt.Sprintf("is %q, which is not one of the allowed values", clip(text)), DidYouMean(text, "write one of", values)}
	}
	k, ok := kinds[r.is]
	switch {
	case !ok:
		return nil
	case text == "":
		return &fault{"is empty", k.form + r.fallback()}
	case utf8.RuneCountInString(text) > k.most:
		return &fault{fmt.Sprintf("is %q, which is longer than %d characters", clip(text), k.most), "shorten it"}
	case !k.pattern.MatchString(text):
		return &fault{fmt.Sprintf("is %q, which is not %s", clip(text), k.what), k.form + r.suggestion(text)}
	case k.refuse != nil:
		if why := k.refuse(text); why != "" {
			return &fault{fmt.Sprintf("is %q, which %s", text, why), "choose another"}
		}
	}
	return nil
}

func (r rules) suggestion(text string) string {
	if r.is == "service" {
		if name := slug(text); name != "" {
			return ": " + name
		}
	}
	return ""
}

// bounds checks a number or a duration against the field's range.
func (r rules) bounds(number float64, text string) *fault {
	low, high, ok := strings.Cut(r.tag.Get("range"), "..")
	if ok && (number < limit(low) || number > limit(high)) {
		return &fault{fmt.Sprintf("is %s, outside %s to %s", clip(text), low, high), r.advice()}
	}
	return nil
}

var plainNumber = regexp.MustCompile(`^[0-9.]+$`)

// limit reads one end of a range, which stands in a tag of this package and is therefore well formed.
func limit(text string) float64 {
	if plainNumber.MatchString(text) {
		number, _ := strconv.ParseFloat(text, 64)
		return number
	}
	d, _ := parseDuration(text, true)
	return float64(d)
}
