package main

// vocabulary is the words of the rows: pieces of JSON strings, already escaped. They hold what real data holds: other alphabets, emoji, quotes, line
// feeds, and U+2028, which is a line end to some readers and not to JSON.
type vocabulary struct {
	firstNames, lastNames, mailNames []string
	streets                          []string
	cities                           []city
	adjectives, nouns, colors, sizes []string
	customerTags, productTags        []string
	statuses, notes, descriptions    []string
	currencies                       []string
}

type city struct {
	name, country, postalPrefix string
	latitude, longitude         int64 // in 1/10000 degree
}

func newVocabulary() vocabulary {
	return vocabulary{
		firstNames: []string{"Zoë", "Olivia", "José", "Noah", "Łukasz", "Emma", "Søren", "Mia", "Anaïs", "Liam", "Ольга", "Ava", "美咲", "Lucas", "Nguyễn",
			"Ella", "Björn", "Amélie", "Owen", "Ἑλένη", "Grace", "Jürgen", "Chloé", "Oscar", "محمد", "Lena", "Tomáš", "Ida", "Sinéad", "Hugo", "राज", "Vera"},
		mailNames: []string{"zoe", "olivia", "jose", "noah", "lukasz", "emma", "soren", "mia", "anais", "liam", "olga", "ava", "misaki", "lucas", "nguyen",
			"ella", "bjorn", "amelie", "owen", "eleni", "grace", "jurgen", "chloe", "oscar", "mohamed", "lena", "tomas", "ida", "sinead",
			"hugo", "raj", "vera"},
		lastNames: []string{"Müller", "Smith", "García", "O'Brien", "Nowak", "Ivanova", "佐藤", "Andersen", "d'Arc", "Rossi", "Kowalski", "Silva", "Öztürk",
			"Jensen", "van \\\"Dijk\\\" Jr.", "Dubois", "Horváth", "Lindqvist", "Papadopoulos", "Novák", "Murphy", "Bianchi", "Weiß", "Costa"},
		streets: []string{"Main Street", "Königsallee", "Rue de l'Église", "Calle Mayor", "Ulica Długa", "Via Roma", "Højbro Plads", "Невский проспект",
			"Market Street", "Avenida da Liberdade", "Am Hof \\\\ Hinterhaus", "St. Stephen's Green", "銀座通り", "Václavské náměstí", "Kungsgatan", "Elm Street"},
		cities: cities(),
		adjectives: []string{"Small", "Handcrafted", "Ergonomic", "Rustic", "Smart", "Vintage", "Gorgeous", "Practical", "Sleek", "Café",
			"Recycled", "Tiny"},
		nouns: []string{"Chair", "Lamp", "Keyboard", "Teapot", "Backpack", "Table", "Mug", "Bicycle", "Notebook", "Pillow", "Umbrella", "Clock",
			"Crème Brûlée Set", "Shelf", "Jacket", "Headphones"},
		colors:       []string{"red", "green", "blue", "black", "white", "türkis", "ochre", "violet"},
		sizes:        []string{"XS", "S", "M", "L", "XL", "12\\\"", "½ pt", "one size"},
		customerTags: []string{"vip", "wholesale", "newsletter", "churn-risk", "beta", "étudiant", "early 🐦", "b2b"},
		productTags:  []string{"sale", "new", "bestseller", "organic", "fragile", "limited", "🎁 gift", "outlet"},
		statuses:     []string{"pending", "paid", "shipped", "delivered", "delivered", "delivered", "returned", "cancelled"},
		notes: []string{"Leave at the door.", "Ring twice\\nthen wait", "Geschenkverpackung bitte 🎀", "call +1 (555) 010-9999",
			"100% sure? {\\\"type\\\":\\\"RECORD\\\"}",
			"配達は午後にお願いします", "line\u2028separator", "tab\\there"},
		descriptions: []string{"Made to last.", "A classic, \\\"reinvented\\\".", "Für drinnen & draußen <neu>", "Light as a feather \\ud83e\\udeb6",
			"Ships in 24h; returns within 30 days.", "Прочный и лёгкий", "C:\\\\temp\\\\readme.txt", "今だけの特別価格"},
		currencies: []string{"EUR", "USD", "GBP", "JPY"},
	}
}

func cities() []city {
	return []city{
		{"Köln", "DE", "50", 509375, 69603}, {"London", "GB", "EC1A ", 515072, -1276}, {"Kraków", "PL", "30-", 500647, 199450},
		{"São Paulo", "BR", "01", -235558, -466396}, {"東京", "JP", "100-", 356762, 1396503}, {"Reykjavík", "IS", "10", 641466, -219426},
		{"Marseille", "FR", "13", 432965, 53698}, {"New York", "US", "100", 407128, -740060}, {"Αθήνα", "GR", "10", 379838, 237275},
		{"Санкт-Петербург", "RU", "19", 599343, 303351}, {"Zürich", "CH", "80", 473769, 85417}, {"Cape Town", "ZA", "80", -339249, 184241},
		{"Málaga", "ES", "29", 367213, -44213}, {"İstanbul", "TR", "34", 410082, 289784}, {"Montréal", "CA", "H2X ", 455019, -735674},
		{"Perth", "AU", "60", -319523, 1158613},
	}
}
