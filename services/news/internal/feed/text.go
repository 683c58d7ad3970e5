package feed

import (
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// breaks are the elements that part words.
var breaks = map[atom.Atom]bool{
	atom.Br: true, atom.P: true, atom.Div: true, atom.Li: true, atom.Ul: true, atom.Ol: true, atom.Tr: true, atom.Td: true, atom.Th: true,
	atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true, atom.Img: true,
}

// plain gives the text of a piece of HTML: no elements, no scripts, no styles, one line, at most so many characters.
func plain(text string, most int) string {
	tokens := html.NewTokenizer(strings.NewReader(text))
	var out strings.Builder
	hidden := atom.Atom(0) // the element whose content is no text
	for out.Len() <= 8*most {
		kind := tokens.Next()
		if kind == html.ErrorToken { // also at the end
			break
		}
		token := tokens.Token()
		switch kind {
		case html.TextToken:
			if hidden == 0 {
				out.WriteString(token.Data)
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			if kind == html.StartTagToken && (token.DataAtom == atom.Script || token.DataAtom == atom.Style) {
				hidden = token.DataAtom
			} else if kind == html.EndTagToken && token.DataAtom == hidden {
				hidden = 0
			}
			if breaks[token.DataAtom] {
				out.WriteByte(' ')
			}
		default: // comments, directives
		}
	}
	return shorten(strings.Join(strings.Fields(strings.Map(visible, strings.ToValidUTF8(out.String(), ""))), " "), most)
}

// visible drops what has no look of its own, or changes how the text around it looks, such as its direction.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsPrint(r):
		return -1
	}
	return r
}

// shorten leaves at most so many characters, and shows where it cut.
func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return strings.TrimRight(string(runes[:most-1]), " ") + "…"
	}
	return text
}
