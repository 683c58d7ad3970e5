package spec

import (
	"slices"
	"strings"
)

// nearest gives the candidate that word was probably meant to be, or "" when none is near: at most a third of the word
// mistyped, letter case aside.
func nearest(word string, candidates []string) string {
	if len(word) > 100 {
		return ""
	}
	best, least := "", max(1, len(word)/3)+1
	for _, candidate := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// DidYouMean is the remedy for a word that is none of candidates, such as "did you mean port?"; label introduces the list
// when none is near.
func DidYouMean(word, label string, candidates []string) string {
	if near := nearest(word, candidates); near != "" {
		return "did you mean " + near + "?"
	}
	if len(candidates) == 0 {
		return label + ": none"
	}
	candidates = slices.Sorted(slices.Values(candidates))
	const most = 20
	if len(candidates) > most {
		candidates = append(candidates[:most], "…")
	}
	return label + ": " + strings.Join(candidates, ", ")
}

// distance counts the insertions, deletions, substitutions and swaps of neighbours that make a into b (Damerau–Levenshtein,
// optimal string alignment).
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(b)]
}
