package main

import "testing"

func TestFeedsOfTheConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		feeds []string
		want  string // the names; "" for an error
	}{
		"none":           {nil, "none"},
		"two":            {[]string{"bbc=https://feeds.example.com/news.xml?a=b", "x=http://example.com"}, "bbc x "},
		"no address":     {[]string{"bbc"}, ""},
		"no name":        {[]string{"=https://example.com/"}, ""},
		"no web address": {[]string{"bbc=file:///etc/passwd"}, ""},
		"a password":     {[]string{"bbc=https://ada:secret@example.com/"}, ""},
		"taken":          {[]string{"bbc=https://example.com/", "bbc=https://example.org/"}, ""},
		"of legacy":      {[]string{"shop=https://example.com/"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var set settings
			set.Sources.Feeds = test.feeds
			all, err := set.feeds()
			if (err != nil) != (test.want == "") {
				t.Fatalf("error %v", err)
			}
			got := ""
			for _, at := range all {
				got += at.name + " "
			}
			if err == nil && got != test.want && test.want != "none" {
				t.Errorf("names %q, want %q", got, test.want)
			}
		})
	}
}
