package apiversion

import (
	"strings"
	"testing"
)

// FuzzPreferences reads headers as anybody may write them. Whatever is asked for, a media type is welcome to a share, and one that nobody
// named is not.
func FuzzPreferences(f *testing.F) {
	f.Add("application/vnd.shop.v2+json;q=0.5, application/json; charset=utf-8, */*;q=0")
	f.Add("application/json;q=NaN")
	f.Add("a/b;q=1e400,;,a/b; q=\"0.5\",application/json;q=-0")
	f.Fuzz(func(t *testing.T, header string) {
		all := preferences([]string{header})
		for _, p := range all {
			if !(p.quality >= 0 && p.quality <= 1) || p.media == "" {
				t.Fatalf("%+v", p)
			}
		}
		if q := quality(all, plainJSON); !(q >= 0 && q <= 1) || q > 0 && !strings.Contains(strings.ToLower(header), "/") {
			t.Fatalf("JSON is welcome to %v", q)
		}
	})
}
