package feed

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, name string) rss {
	t.Helper()
	text, known, err := Named(name)
	if err != nil || !known {
		t.Fatalf("known %v, error %v", known, err)
	}
	if again, _, _ := Named(name); !bytes.Equal(again, text) {
		t.Errorf("%s is not the same when it is read again", name)
	}
	var feed rss
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict = true
	if err := decoder.Decode(&feed); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return feed
}

func TestFeedsAreReadAsTheyWereWritten(t *testing.T) {
	titles := map[string]string{}
	for name, paper := range papers {
		feed := read(t, name)
		if feed.Version != "2.0" || feed.Channel.Title != paper.title || len(feed.Channel.Items) != len(paper.articles) {
			t.Errorf("%s: version %q, title %q, %d items", name, feed.Version, feed.Channel.Title, len(feed.Channel.Items))
		}
		var before time.Time
		for i, got := range feed.Channel.Items {
			want := paper.articles[i]
			if got.Title != want.title || got.Summary != want.summary || got.GUID.Text != want.guid || !strings.HasSuffix(got.Link, want.guid) {
				t.Errorf("%s: got %+v, want %+v", name, got, want)
			}
			at, err := time.Parse(time.RFC1123Z, got.Published)
			if err != nil || !at.Equal(made.Add(-want.age)) {
				t.Errorf("%s: %s was published %q: %v", name, got.GUID.Text, got.Published, err)
			}
			if i > 0 && at.After(before) {
				t.Errorf("%s: %s is newer than the one above it", name, got.GUID.Text)
			}
			before = at
			if other, twice := titles[want.guid]; twice && other != want.title {
				t.Errorf("%s is two articles: %q and %q", want.guid, other, want.title)
			}
			titles[want.guid] = want.title
		}
	}
	if total := len(papers["shop"].articles) + len(papers["trade"].articles) + len(papers["city"].articles); len(titles) != total-1 {
		t.Errorf("%d articles have %d guids, and one is printed twice", total, len(titles))
	}
}

func TestThereIsNoOtherFeed(t *testing.T) {
	if text, known, err := Named("sport"); known || text != nil || err != nil {
		t.Errorf("known %v, error %v: %s", known, err, text)
	}
}
