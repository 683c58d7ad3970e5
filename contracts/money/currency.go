package money

// digits are the currencies of ISO 4217 (list one, 2026) whose smallest unit is not a hundredth.
var digits = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0,
	"VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// Digits is how many digits after the point a currency has. Whether there is such a currency, it does not tell.
func Digits(currency string) int {
	if n, ok := digits[currency]; ok {
		return n
	}
	return 2
}
