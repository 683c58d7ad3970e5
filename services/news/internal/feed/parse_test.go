package feed

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/charmap"

	"github.com/trellis-mesh/trellis/services/news/internal/domain"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// rss is a feed of items that are written out.
func rss(items ...string) string {
	return `<?xml version="1.0"?><rss version="2.0"><channel><title>Shop</title><link>https://example.com/</link>` +
		"<item>" + strings.Join(items, "</item>\n<item>") + "</item></channel></rss>"
}

func parse(t *testing.T, text string) []domain.Article {
	t.Helper()
	articles, err := Parse("shop", []byte(text), noon)
	if err != nil {
		t.Fatal(err)
	}
	return articles
}

// only gives the one article that a feed has.
func only(t *testing.T, text string) domain.Article {
	t.Helper()
	articles := parse(t, text)
	if len(articles) != 1 {
		t.Fatalf("%d articles, want 1: %+v", len(articles), articles)
	}
	return articles[0]
}

func TestRSSAndAtomAreRead(t *testing.T) {
	want := domain.Article{
		ID: domain.ID("shop", "urn:1"), Source: "shop", Title: "Tea & more", Link: "https://example.com/1", Summary: "Green tea is here.",
		PublishedAt: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
	}
	for name, text := range map[string]string{
		"RSS 2.0": rss(`<guid isPermaLink="false">urn:1</guid><title>Tea &amp; more</title><link>https://example.com/1</link>
			<description>Green tea is here.</description><pubDate>Mon, 02 Mar 2026 10:00:00 +0100</pubDate>`),
		"Atom": `<feed xmlns="http://www.w3.org/2005/Atom"><title>Shop</title><entry><id>urn:1</id><title>Tea &amp; more</title>
			<link href="https://example.com/1"/><summary>Green tea is here.</summary><updated>2026-03-02T09:00:00Z</updated></entry></feed>`,
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, only(t, text)); diff != "" {
				t.Errorf("article (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAnArticleHasOneIDAtItsSource(t *testing.T) {
	same := only(t, rss(`<guid>1</guid><title>a</title><link>https://example.com/a</link>`)).ID
	if got := only(t, rss(`<guid>1</guid><title>b</title><link>https://example.com/b</link>`)).ID; got != same {
		t.Error("another title made another article")
	}
	if got := only(t, rss(`<guid>2</guid><title>a</title><link>https://example.com/a</link>`)).ID; got == same {
		t.Error("another guid is the same article")
	}
	byLink := only(t, rss(`<title>a</title><link>https://example.com/a</link>`)).ID
	if got := only(t, rss(`<title>b</title><link>https://example.com/a</link>`)).ID; got != byLink {
		t.Error("without a guid, the link does not count")
	}
	other, err := Parse("city", []byte(rss(`<guid>1</guid><title>a</title><link>https://example.com/a</link>`)), noon)
	if err != nil || other[0].ID == same {
		t.Errorf("two sources share an id: %v", err)
	}
	if got := parse(t, rss(`<guid>1</guid><title>a</title><link>https://example.com/a</link>`, `<guid>1</guid><title>b</title><link>https://example.com/b</link>`)); len(got) != 1 || got[0].Title != "a" {
		t.Errorf("the same guid twice gives %+v", got)
	}
}

func TestMarkupIsStripped(t *testing.T) {
	for name, test := range map[string]struct{ wrote, want string }{
		"elements":           {`&lt;p&gt;One &lt;b&gt;two&lt;/b&gt;.&lt;/p&gt;&lt;p&gt;Three&lt;/p&gt;`, "One two. Three"},
		"cdata":              {`<![CDATA[<i>One</i> &amp; two]]>`, "One & two"},
		"a script":           {`<![CDATA[One<script>alert("two")</script> three]]>`, "One three"},
		"a style":            {`<![CDATA[<style>p { color: red }</style>One]]>`, "One"},
		"a comment":          {`<![CDATA[One<!-- <b>two</b> --> three]]>`, "One three"},
		"an open element":    {`<![CDATA[One <b two]]>`, "One"},
		"lines":              {"One\n\n\t two\u00a0three", "One two three"},
		"control characters": {"One\x00\x07 two\u0085three", "One two three"},
		"direction":          {"One \u202etwo\u202c", "One two"},
	} {
		t.Run(name, func(t *testing.T) {
			got := only(t, rss(`<title>t</title><link>https://example.com/</link><description>`+test.wrote+`</description>`)).Summary
			if got != test.want {
				t.Errorf("summary %q, want %q", got, test.want)
			}
		})
	}
}

func TestLinksLeadToWebPages(t *testing.T) {
	for _, link := range []string{
		"javascript:alert(1)", "JAVASCRIPT:alert(1)", " java\nscript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://example.com/", "//example.com/x",
		"/x", "x", "", "https://", "http://user:secret@example.com/", "https://example.com/" + strings.Repeat("x", maxLink), "http://[::1", "vbscript:x",
	} {
		articles, err := Parse("shop", []byte(rss(`<title>t</title><link>`+link+`</link>`)), noon)
		if err != nil || len(articles) != 0 {
			t.Errorf("%q: %+v, %v", link, articles, err)
		}
	}
	if got := only(t, rss(`<title>t</title><link> https://example.com/a b?c=d&amp;e=f#g </link>`)).Link; got != "https://example.com/a%20b?c=d&e=f#g" {
		t.Errorf("link %q", got)
	}
}

func TestTextsAndNumbersAreBounded(t *testing.T) {
	long := strings.Repeat("ä", 200_000)
	got := only(t, rss(`<title>`+long+`</title><link>https://example.com/</link><description>`+long+`</description>`))
	if title, summary := utf8.RuneCountInString(got.Title), utf8.RuneCountInString(got.Summary); title != maxTitle || summary != maxSummary {
		t.Errorf("a title of %d characters and a summary of %d", title, summary)
	}
	if !strings.HasSuffix(got.Title, "ä…") {
		t.Errorf("the cut does not show: %q", got.Title[len(got.Title)-8:])
	}
	var items []string
	for i := range maxItems + 50 {
		items = append(items, fmt.Sprintf(`<title>t</title><link>https://example.com/%d</link>`, i))
	}
	if got := len(parse(t, rss(items...))); got != maxItems {
		t.Errorf("%d articles, want %d", got, maxItems)
	}
	if got := only(t, rss(`<link>https://example.com/</link><description>Only this</description>`)).Title; got != "Only this" {
		t.Errorf("title %q", got)
	}
	if got := parse(t, rss(`<link>https://example.com/</link>`)); len(got) != 0 {
		t.Errorf("an article without a word: %+v", got)
	}
}

func TestDatesAreOfThePast(t *testing.T) {
	for wrote, want := range map[string]time.Time{
		"":                                noon,
		"yesterday":                       noon,
		"Mon, 02 Mar 2099 10:00:00 +0000": noon,
		"Mon, 02 Mar 2026 10:00:00 +0000": time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		"Mon, 02 Mar 0026 10:00:00 +0000": time.Unix(0, 0).UTC(),
	} {
		if got := only(t, rss(`<title>t</title><link>https://example.com/</link><pubDate>`+wrote+`</pubDate>`)).PublishedAt; !got.Equal(want) {
			t.Errorf("%q: published at %s, want %s", wrote, got, want)
		}
	}
}

func TestOtherEncodingsAreRead(t *testing.T) {
	latin, err := charmap.ISO8859_1.NewEncoder().String(strings.Replace(
		rss(`<title>Tee für alle</title><link>https://example.com/</link>`), `version="1.0"?`, `version="1.0" encoding="ISO-8859-1"?`, 1))
	if err != nil {
		t.Fatal(err)
	}
	if got := only(t, latin).Title; got != "Tee für alle" {
		t.Errorf("title %q", got)
	}
	lying := strings.Replace(latin, "ISO-8859-1", "UTF-8", 1)
	var fault *domain.Fault
	if articles, err := Parse("shop", []byte(lying), noon); !errors.As(err, &fault) {
		t.Errorf("a feed that lies about its encoding gives %+v, %v", articles, err)
	}
}

func TestHostileFeedsAreRefused(t *testing.T) {
	nested := func(open string, depth int) string {
		return `<rss version="2.0"><channel>` + strings.Repeat(open, depth) + strings.Repeat("</x>", depth) + "</channel></rss>"
	}
	var spaces strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&spaces, ` xmlns:n%d="urn:%d"`, i, i)
	}
	for name, test := range map[string]struct{ text, cause string }{
		"too large":               {rss(`<title>` + strings.Repeat("x", MaxSize) + `</title>`), "larger than 1 MiB"},
		"no XML":                  {"hello", "cannot be read"},
		"empty":                   {"", "cannot be read"},
		"a web page":              {"<!DOCTYPE html><html><body>hello</body></html>", "neither RSS nor Atom"},
		"JSON feed":               {`{"version": "https://jsonfeed.org/version/1", "items": [{"id": "<rss></rss>"}]}`, "cannot be read"},
		"nested deeply":           {nested("<x>", 100_000), "nested deeper"},
		"nested namespaces":       {nested(`<x xmlns:a="b">`, 20_000), "cannot be read"},
		"many namespaces":         {`<rss version="2.0"` + spaces.String() + `><channel>` + strings.Repeat("<n1:x/>", 50_000) + `</channel></rss>`, "namespaces"},
		"an unknown encoding":     {`<?xml version="1.0" encoding="klingon"?><rss version="2.0"></rss>`, "cannot be read"},
		"ends in the middle":      {`<rss version="2.0"><channel><item><title>t`, "cannot be read"},
		"nested behind a control": {"<rss version=\"2.0\"><channel>\x01" + strings.Repeat("<x>", 1000), "nested deeper"},
	} {
		t.Run(name, func(t *testing.T) {
			articles, err := Parse("shop", []byte(test.text), noon)
			var fault *domain.Fault
			if !errors.As(err, &fault) || !strings.Contains(err.Error(), test.cause) {
				t.Errorf("error %v, want one with %q; articles %+v", err, test.cause, articles)
			}
		})
	}
}

// TestEntitiesAreNotExpanded reads a billion laughs: expanded, the title would have 10⁹ of them.
func TestEntitiesAreNotExpanded(t *testing.T) {
	var declared strings.Builder
	declared.WriteString(`<!ENTITY lol0 "lol">`)
	for i := 1; i < 10; i++ {
		fmt.Fprintf(&declared, `<!ENTITY lol%d "%s">`, i, strings.Repeat(fmt.Sprintf("&lol%d;", i-1), 10))
	}
	text := `<?xml version="1.0"?><!DOCTYPE rss [` + declared.String() + `<!ENTITY secret SYSTEM "file:///etc/passwd">]>` +
		strings.TrimPrefix(rss(`<title>a &lol9; b &secret;</title><link>https://example.com/</link>`), `<?xml version="1.0"?>`)
	articles, err := Parse("shop", []byte(text), noon)
	var fault *domain.Fault
	if err != nil {
		if !errors.As(err, &fault) {
			t.Error(err)
		}
		return
	}
	if len(articles) != 1 || strings.Contains(articles[0].Title, "lollol") || strings.Contains(articles[0].Title, "root") || len(articles[0].Title) > 40 {
		t.Errorf("articles %+v", articles)
	}
}

// FuzzParse has whatever arrives become articles that nothing has to be feared of, or a fault.
func FuzzParse(f *testing.F) {
	f.Add([]byte(rss(`<guid>1</guid><title>a</title><link>https://example.com/a</link><description>&lt;b&gt;x&lt;/b&gt;</description><pubDate>Mon, 02 Mar 2026 10:00:00 +0100</pubDate>`)))
	f.Add([]byte(`<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id><title type="html">&lt;script&gt;</title><link href="https://example.com/"/></entry></feed>`))
	f.Add([]byte(`<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><item><title>a</title><link>http://a</link></item></rdf:RDF>`))
	f.Add([]byte(`<?xml version="1.0" encoding="ISO-8859-1"?><rss><channel><item><title>` + "\xfc" + `</title><link>javascript:x</link></item></channel></rss>`))
	f.Add([]byte(`<!DOCTYPE rss [<!ENTITY a "aaaa">]><rss><channel><x:y xmlns:x="u"><z/></x:y><item><link>http://u:p@h/</link></item></channel></rss>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		articles, err := Parse("shop", raw, noon)
		var fault *domain.Fault
		if err != nil && (!errors.As(err, &fault) || fault.Reason == "") {
			t.Fatalf("error %v is no fault", err)
		}
		if err != nil && strings.Contains(err.Error(), "panic") {
			t.Fatal(err)
		}
		if len(articles) > maxItems {
			t.Fatalf("%d articles", len(articles))
		}
		known := map[string]bool{}
		for _, a := range articles {
			if known[a.ID] {
				t.Fatalf("%s is there twice", a.ID)
			}
			known[a.ID] = true
			safe(t, a)
		}
	})
}

func safe(t *testing.T, a domain.Article) {
	t.Helper()
	for what, text := range map[string]string{"title": a.Title, "summary": a.Summary} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || utf8.RuneCountInString(text) > maxSummary {
			t.Fatalf("%s %q", what, text)
		}
	}
	link, err := url.Parse(a.Link)
	if err != nil || link.Scheme != "http" && link.Scheme != "https" || link.Host == "" || link.User != nil || len(a.Link) > maxLink {
		t.Fatalf("link %q: %v", a.Link, err)
	}
	if a.Title == "" || a.Source != "shop" || a.PublishedAt.After(noon) || a.PublishedAt.Year() < 1970 {
		t.Fatalf("article %+v", a)
	}
	if _, err := xml.Marshal(a.Title); err != nil {
		t.Fatal(err)
	}
}
