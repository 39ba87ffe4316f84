package truststore

import (
	"encoding/asn1"
	"errors"
	"fmt"
)

// derSequence is the first byte of a PKCS #12 file.
const derSequence = 0x30

// readPKCS12 are the certificates of a PKCS #12 file (RFC 7292) without a password, as Java's own store is since version 18 (JDK-8275252). What is
// encrypted is left out.
func readPKCS12(content []byte) ([][]byte, error) {
	var file struct {
		Version int
		Safe    contentInfo
		Mac     asn1.RawValue `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(content, &file); err != nil {
		return nil, fmt.Errorf("is no PKCS #12 file: %w", err)
	}
	safe, err := file.Safe.data()
	if err != nil {
		return nil, err
	}
	var parts []contentInfo
	if _, err := asn1.Unmarshal(safe, &parts); err != nil {
		return nil, fmt.Errorf("its parts: %w", err)
	}
	var found [][]byte
	for _, part := range parts {
		text, err := part.data()
		if err != nil {
			continue
		}
		certificates, err := bagged(text)
		if err != nil {
			return nil, err
		}
		found = append(found, certificates...)
	}
	if len(found) == 0 {
		return nil, errors.New("its certificates are encrypted, or there are none")
	}
	return found, nil
}

// contentInfo is a part of a PKCS #12 file (RFC 5652, section 3).
type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"tag:0,explicit,optional"`
}

// data is what the part holds; an error when it is encrypted.
func (c contentInfo) data() (text []byte, err error) {
	if !c.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}) {
		return nil, fmt.Errorf("a part of kind %s", c.Type)
	}
	_, err = asn1.Unmarshal(c.Content.Bytes, &text)
	return text, err
}

// bagged are the certificates among safe bags (RFC 7292, section 4.2).
func bagged(text []byte) ([][]byte, error) {
	var bags []struct {
		Type       asn1.ObjectIdentifier
		Value      asn1.RawValue `asn1:"tag:0,explicit"`
		Attributes asn1.RawValue `asn1:"set,optional"`
	}
	if _, err := asn1.Unmarshal(text, &bags); err != nil {
		return nil, fmt.Errorf("its bags: %w", err)
	}
	var found [][]byte
	for _, bag := range bags {
		if !bag.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 12, 10, 1, 3}) {
			continue
		}
		var certificate struct {
			Type  asn1.ObjectIdentifier
			Value []byte `asn1:"tag:0,explicit"`
		}
		if _, err := asn1.Unmarshal(bag.Value.Bytes, &certificate); err != nil {
			return nil, fmt.Errorf("a certificate: %w", err)
		}
		if certificate.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 22, 1}) {
			found = append(found, certificate.Value)
		}
	}
	return found, nil
}
