package main

import (
	"sort"
	"strconv"
	"strings"
)

// kind is what the rows of a stream are.
type kind int

const (
	customers kind = iota
	products
	orders
)

// A stream is a sequence of versions of rows in the order of their updated_at. Position 1 is the first. Without updates the version at position n is
// the row with id n; with updateEvery m every m-th position is a newer version of an earlier row. Any position can be computed by itself, which is
// how a read resumes at once wherever its state says.

// epochStart is the time of position 0: 2020-01-01T00:00:00Z, in epoch milliseconds. One position takes a second.
const (
	epochStart  = 1_577_836_800_000
	maxPosition = 1 << 33 // updated_at stays before the year 2300
)

// dataset is the content of the demonstration database.
type dataset struct {
	seed        uint64
	updateEvery int64
	rowBytes    int   // rows are padded to it
	customers   int64 // how many there are, for the foreign keys of orders
	products    int64
	words       vocabulary
	padding     []byte
}

// newDataset is the database that a config describes.
func newDataset(c *Config) *dataset {
	d := &dataset{seed: uint64(c.Seed), updateEvery: c.UpdateEvery, rowBytes: c.RowBytes, words: newVocabulary()}
	const filler = "the quick brown fox jumps over the lazy dog 0123456789 "
	d.padding = []byte(strings.Repeat(filler, c.RowBytes/len(filler)+1))
	for _, s := range c.streams() {
		ids := s.count
		if c.UpdateEvery > 0 {
			ids -= s.count / c.UpdateEvery
		}
		switch s.kind {
		case customers:
			d.customers = ids
		case products:
			d.products = ids
		case orders: // nothing refers to orders
		}
	}
	return d
}

// idAt is the id of the row that the version at a position belongs to.
func (d *dataset) idAt(position int64) int64 {
	if d.updateEvery < 2 {
		return position
	}
	known := position - position/d.updateEvery
	if position%d.updateEvery != 0 {
		return known
	}
	r := newRandom(d.seed, position)
	return 1 + r.below(known)
}

// firstPosition is where the row with an id appears first.
func (d *dataset) firstPosition(id int64) int64 {
	if d.updateEvery < 2 {
		return id
	}
	return id + (id-1)/(d.updateEvery-1)
}

// updatedAt is the time of a position in epoch milliseconds; it rises strictly.
func (d *dataset) updatedAt(position int64) int64 {
	r := newRandom(^d.seed, position)
	return epochStart + position*1000 + r.below(1000)
}

// positionOf is the last position that is not after a time.
func (d *dataset) positionOf(millis int64) int64 {
	return int64(sort.Search(maxPosition, func(n int) bool { return d.updatedAt(int64(n)+1) > millis }))
}

// appendRow appends the `data` object of a row: its version at the position.
func (d *dataset) appendRow(b []byte, k kind, shard uint64, position int64) []byte {
	start := len(b)
	id := d.idAt(position)
	stable := newRandom(d.seed+shard+uint64(k)*7919, id) // what an update leaves as it is
	volatile := newRandom(d.seed+shard+uint64(k)*7919+104729, position)
	created := d.updatedAt(d.firstPosition(id)) - stable.below(30*86_400)*1000
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, id, 10)
	switch k {
	case customers:
		b = d.appendCustomer(b, id, &stable, &volatile)
	case products:
		b = d.appendProduct(b, id, &stable, &volatile)
	default:
		b = d.appendOrder(b, created, &stable, &volatile)
	}
	b = append(b, `,"created_at":"`...)
	b = appendTime(b, created)
	b = append(b, `","updated_at":"`...)
	b = appendTime(b, d.updatedAt(position))
	b = append(b, '"')
	if missing := d.rowBytes - (len(b) - start) - len(`,"padding":""}`); missing > 0 {
		b = append(b, `,"padding":"`...)
		b = append(b, d.padding[:missing]...)
		b = append(b, '"')
	}
	return append(b, '}')
}

func (d *dataset) appendCustomer(b []byte, id int64, stable, volatile *random) []byte {
	first := stable.below(int64(len(d.words.firstNames)))
	home := d.words.cities[stable.below(int64(len(d.words.cities)))]
	b = append(append(append(b, `,"name":"`...), d.words.firstNames[first]...), ' ')
	b = append(append(b, stable.pick(d.words.lastNames)...), `","email":"`...)
	b = append(append(b, d.words.mailNames[first]...), '.')
	b = append(strconv.AppendInt(b, id, 10), `@example.com","phone":`...)
	if stable.chance(3) {
		b = append(b, `null,"birth_date":`...)
	} else {
		b = append(strconv.AppendInt(append(b, `"+1 555 01`...), 10+stable.below(90), 10), `","birth_date":`...)
	}
	if stable.chance(5) {
		b = append(b, "null"...)
	} else {
		b = append(appendDate(append(b, '"'), stable.below(18_000)-3_000), '"')
	}
	b = appendBool(append(b, `,"newsletter":`...), volatile.chance(2))
	b = appendHundredths(append(b, `,"balance":`...), volatile.below(200_000)-20_000)
	b = append(append(append(b, `,"address":{"street":"`...), stable.pick(d.words.streets)...), ' ')
	b = append(append(strconv.AppendInt(b, 1+stable.below(199), 10), `","city":"`...), home.name...)
	b = append(append(append(b, `","postal_code":"`...), home.postalPrefix...), byte('0'+stable.below(10)), byte('0'+stable.below(10)), '1')
	b = append(append(b, `","country":"`...), home.country...)
	b = appendTenThousandths(append(b, `","geo":{"lat":`...), home.latitude+stable.below(999))
	b = appendTenThousandths(append(b, `,"lon":`...), home.longitude+stable.below(999))
	return appendTags(append(b, `}},"tags":`...), d.words.customerTags, volatile)
}

func (d *dataset) appendProduct(b []byte, id int64, stable, volatile *random) []byte {
	price, currency := d.price(id)
	b = append(append(append(b, `,"sku":"`...), "SKU-"...), hexDigits[stable.below(16)], hexDigits[stable.below(16)], '-')
	b = append(strconv.AppendInt(b, id, 10), `","name":"`...)
	b = append(append(b, stable.pick(d.words.adjectives)...), ' ')
	b = append(append(b, stable.pick(d.words.nouns)...), `","description":`...)
	b = appendMaybe(b, stable.chance(4), stable.pick(d.words.descriptions))
	b = appendHundredths(append(b, `,"price":`...), price)
	b = append(append(b, `,"currency":"`...), d.words.currencies[currency]...)
	b = append(b, `","weight_kg":`...)
	if stable.chance(6) {
		b = append(b, "null"...)
	} else {
		b = appendHundredths(b, 5+stable.below(4_000))
	}
	b = appendBool(append(b, `,"in_stock":`...), !volatile.chance(8))
	b = append(append(b, `,"attributes":{"color":"`...), stable.pick(d.words.colors)...)
	b = append(append(b, `","size":"`...), stable.pick(d.words.sizes)...)
	return appendTags(append(b, `"},"tags":`...), d.words.productTags, volatile)
}

// price of a product, in hundredths, and its currency: a function of the id alone, so that an order knows it without the product's row.
func (d *dataset) price(product int64) (hundredths int64, currency int64) {
	r := newRandom(d.seed+15_485_863, product)
	return 99 + 100*r.below(500), r.below(int64(len(d.words.currencies)))
}

func (d *dataset) appendOrder(b []byte, created int64, stable, volatile *random) []byte {
	product, quantity := 1+stable.below(d.products), 1+stable.below(9)
	price, currency := d.price(product)
	b = append(b, `,"customer_id":`...)
	b = appendKey(b, stable.below(d.customers)+1, d.customers)
	b = append(b, `,"product_id":`...)
	b = appendKey(b, product, d.products)
	b = strconv.AppendInt(append(b, `,"quantity":`...), quantity, 10)
	b = appendHundredths(append(b, `,"unit_price":`...), price)
	b = appendHundredths(append(b, `,"total":`...), price*quantity)
	b = append(append(b, `,"currency":"`...), d.words.currencies[currency]...)
	b = append(append(append(b, `","status":"`...), volatile.pick(d.words.statuses)...), `","note":`...)
	b = appendMaybe(b, !stable.chance(4), stable.pick(d.words.notes))
	b = append(b, `,"shipped_at":`...)
	if volatile.chance(3) {
		return append(b, "null"...)
	}
	return append(appendTime(append(b, '"'), created+volatile.below(7*86_400)*1000), '"')
}
