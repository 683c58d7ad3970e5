package sheet

import "strings"

// Spreadsheets take a text that begins with one of these for a formula, and calculate it for whoever opens the file.
const formula = "=+-@\t\r\n＝＋－＠"

// Guard puts an apostrophe before a text that a spreadsheet would take for a formula. It does so also where an apostrophe is there
// already, so that Unguard gives back every text.
func Guard(text string) string {
	if guarded := strings.TrimLeft(text, "'"); guarded != "" && strings.ContainsRune(formula, first(guarded)) {
		return "'" + text
	}
	return text
}

// Unguard takes away what Guard put there.
func Unguard(text string) string {
	bare, ok := strings.CutPrefix(text, "'")
	if ok && Guard(bare) == text {
		return bare
	}
	return text
}

func first(text string) rune {
	for _, r := range text {
		return r
	}
	return 0
}
