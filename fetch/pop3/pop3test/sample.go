package pop3test

import "strings"

// SampleMail returns six small messages such as people get, with fixed dates: plain text, MIME
// with an attachment, 8-bit UTF-8, lines that begin with a dot, a line that begins with
// "From ", and long header lines.
func SampleMail() []Message {
	msgs := []Message{
		{UID: "sample-1", Text: samplePlain},
		{UID: "sample-2", Text: sampleMultipart},
		{UID: "sample-3", Text: sampleUTF8},
		{UID: "sample-4", Text: sampleDots},
		{UID: "sample-5", Text: sampleFrom},
		{UID: "sample-6", Text: sampleLong + strings.Repeat("All work and no play makes Jack a dull boy. ", 30) + "\n"},
	}
	for i := range msgs {
		msgs[i].Text = strings.ReplaceAll(msgs[i].Text, "\n", "\r\n")
	}
	return msgs
}

const samplePlain = `Return-Path: <ada@example.org>
Date: Mon, 12 Jan 2026 09:30:00 +0100
From: Ada Byron <ada@example.org>
To: you@example.net
Subject: Lunch on Thursday?
Message-ID: <20260112083000.1@example.org>

Hello,

are you free on Thursday? The place at the corner has opened again.

Ada
-- 
Ada Byron, Analytical Engines
`

const sampleMultipart = `Return-Path: <charles@example.org>
Date: Tue, 13 Jan 2026 16:04:11 +0000
From: Charles <charles@example.org>
To: you@example.net
Subject: The drawing
Message-ID: <20260113160411.2@example.org>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_sample_boundary"

This is a multi-part message in MIME format.

--=_sample_boundary
Content-Type: text/plain; charset=us-ascii

Here is the drawing, one pixel of it.

--=_sample_boundary
Content-Type: image/png; name="pixel.png"
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename="pixel.png"

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6
kgAAAABJRU5ErkJggg==

--=_sample_boundary--
`

const sampleUTF8 = `Return-Path: <zoe@example.org>
Date: Wed, 14 Jan 2026 20:15:42 +0100
From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.org>
To: you@example.net
Subject: =?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4=?=
Message-ID: <20260114191542.3@example.org>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße aus Köln! Das Wetter ist schön, 12 °C, und das Café hat geöffnet.

Ζωή – 日本語 – 🚲
`

const sampleDots = `Return-Path: <list-bounces@lists.example.org>
Date: Thu, 15 Jan 2026 07:00:00 +0000
From: Sam <sam@example.org>
To: roff@lists.example.org
Subject: [roff] A manual page in ten lines
Message-ID: <20260115070000.4@lists.example.org>
List-Id: The roff list <roff.lists.example.org>

.Dd January 15, 2026
.Dt SAMPLE 1
.Os
.Sh NAME
.Nm sample
.Nd lines that begin with a dot
.
..
...
The line of one dot above is not the end.
`

const sampleFrom = `Return-Path: <postmaster@example.org>
Date: Fri, 16 Jan 2026 11:45:30 -0500
From: Postmaster <postmaster@example.org>
To: you@example.net
Subject: Your question about mbox
Message-ID: <20260116164530.5@example.org>

The rule is this: a message begins with a line such as

From ada@example.org Mon Jan 12 08:30:00 2026

and that is why the line above must be quoted in an mbox, and the next one, too:

>From here on it has been quoted once already.
From now on you know.
`

const sampleLong = `Return-Path: <news@shop.example.com>
Received: from out-17.shop.example.com (out-17.shop.example.com [192.0.2.17]) by mx.example.net (Postfix) with ESMTPS id 4ZgQ7w2kLmz9sRk for <you@example.net>; Sat, 17 Jan 2026 03:12:09 +0000 (UTC)
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=shop.example.com; s=key1; h=from:to:subject:date:message-id:mime-version:content-type; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=dGhpcyBpcyBub3QgYSBzaWduYXR1cmUgYnV0IGl0IGlzIGFzIGxvbmcgYXMgb25lIGFuZCBub3QgZm9sZGVkIGF0IGFsbCB0aGlzIGlzIG5vdCBhIHNpZ25hdHVyZSBidXQgaXQgaXMgYXMgbG9uZyBhcyBvbmU=
Date: Sat, 17 Jan 2026 03:12:08 +0000
From: "The Shop" <news@shop.example.com>
To: you@example.net, "Somebody with a long name" <somebody.with.a.long.name@mail.department.example.net>,
	"Another one" <another.one@mail.department.example.net>
Subject: A paragraph of one line, longer than the 998 octets that RFC 5322 allows, because
 senders do that
Message-ID: <20260117031208.6.8f14e45fceea167a5a36dedd4bea2543@out-17.shop.example.com>
List-Unsubscribe: <https://shop.example.com/unsubscribe?user=you%40example.net&token=8f14e45fceea167a5a36dedd4bea2543>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

`
