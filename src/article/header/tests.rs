use super::*;
use crate::article::plain;

#[test]
fn keeps_headers_out_of_the_model() {
    for (text, header, date, agency) in [
        (
            "date 2024-07-22 Shafaq News/ On Monday, he came.",
            "date 2024-07-22 Shafaq News/",
            Some("2024-07-22"),
            "Shafaq News",
        ),
        (
            "2024-07-22 شفق نيوز/ وصل الوزير.",
            "2024-07-22 شفق نيوز/",
            Some("2024-07-22"),
            "شفق نيوز",
        ),
        (
            "BAGHDAD (Reuters) - The minister came.",
            "BAGHDAD (Reuters) -",
            None,
            "Reuters",
        ),
        (
            "CAIRO, July 22 (AP) — It was hot.",
            "CAIRO, July 22 (AP) —",
            None,
            "AP",
        ),
        (
            "بغداد (وكالات) - وصل الوزير.",
            "بغداد (وكالات) -",
            None,
            "وكالات",
        ),
        ("الكويت (كونا) -- وصل", "الكويت (كونا) --", None, "كونا"),
        (
            "BASRA (Own Reporter) - He came.",
            "BASRA (Own Reporter) -",
            None,
            "Own Reporter",
        ),
        ("شفق نيوز/ وصل الوزير.", "شفق نيوز/", None, "شفق نيوز"),
        (
            "شفق نيوز/ بغداد/ وصل الوزير.",
            "شفق نيوز/ بغداد/",
            None,
            "شفق نيوز",
        ),
        ("Shafaq News/ He came.", "Shafaq News/", None, "Shafaq News"),
        (
            "Nineveh Press/ He came.",
            "Nineveh Press/",
            None,
            "Nineveh Press",
        ),
        ("بغداد / واع / وصل الوزير.", "بغداد / واع /", None, "واع"),
        (
            "date 2024-07-22 On Monday he came.",
            "date 2024-07-22",
            Some("2024-07-22"),
            "",
        ),
    ] {
        let article = plain::parse(text, false);
        assert_eq!(article.text(), text);
        let first = &article.blocks[0];
        let found = if first.kind == BlockKind::Header {
            first.text.as_str()
        } else {
            ""
        };
        assert_eq!(found, header, "{text}");
        assert_eq!(article.date.as_deref(), date, "{text}");
        assert_eq!(
            article.agency.as_deref().unwrap_or_default(),
            agency,
            "{text}"
        );
    }
}

#[test]
fn keeps_prose_in_the_model() {
    for text in [
        "The minister (Reuters) - came.",
        "President Trump (Republican) - the man of the hour - came.",
        "معا: نبني الوطن.",
        "and/or is written with a slash",
        "2024-07-22 was a hot day.",
        "He said (again) that it was late.",
        "Reuters reported that he came.",
        "Date palms grow here.",
        "Baghdad: the city of peace",
        "رويترز تقول إن الوزير وصل.",
    ] {
        let article = plain::parse(text, false);
        assert_eq!(article.blocks.len(), 1, "{text}");
        assert_eq!(article.blocks[0].kind, BlockKind::Paragraph, "{text}");
    }
}

#[test]
fn keeps_dates_and_unknown_names() {
    for (text, to, want) in [
        (
            "date 2024-07-22 Shafaq News/",
            Lang::AR,
            "2024-07-22 شفق نيوز/",
        ),
        (
            "date 2024-07-22 Nobody Knows/",
            Lang::AR,
            "2024-07-22 Nobody Knows/",
        ),
        ("BAGHDAD (Reuters) -", Lang::AR, "بغداد (رويترز) -"),
        (
            "CAIRO, July 22 (AP) —",
            Lang::AR,
            "القاهرة، يوليو 22 (أسوشيتد برس) —",
        ),
        ("بغداد (وكالات) -", Lang::EN, "Baghdad (Agencies) -"),
        ("٢٠٢٤-٠٧-٢٢ شفق نيوز/", Lang::EN, "٢٠٢٤-٠٧-٢٢ Shafaq News/"),
        ("أسوشيتد برس/", Lang::EN, "AP/"),
        (
            "KUWAIT CITY (Agencies) -",
            Lang::AR,
            "مدينة الكويت (وكالات) -",
        ),
        ("عمّان (بترا) -", Lang::EN, "Amman (Petra) -"),
        ("Apples/", Lang::AR, "Apples/"),
        ("Bagdá (Reuters) -", Lang::PT, "Bagdá (Reuters) -"),
    ] {
        assert_eq!(translate_header(text, to), want, "{text}");
    }
}

#[test]
fn keeps_the_header_below_a_headline() {
    let cases = [
        (
            "Floods close roads in Basra\n\nBAGHDAD (Reuters) - Roads closed.",
            1,
        ),
        (
            "# Floods close roads\n\nBAGHDAD (Reuters) - Roads closed.",
            1,
        ),
        (
            "فيضانات تغلق الطرق في البصرة\n\nبغداد (رويترز) - أغلقت الطرق.",
            1,
        ),
    ];
    for (text, at) in cases {
        let article = plain::parse(text, true);
        assert_eq!(article.blocks[at].kind, BlockKind::Header, "{text}");
        assert!(article.agency.is_some());
        assert_eq!(article.text(), text);
    }
    for text in [
        "Roads closed on Monday.\n\nBAGHDAD (Reuters) - Roads closed.",
        "Floods close roads\n\nThe minister came.\n\nBAGHDAD (Reuters) - Roads closed.",
    ] {
        let article = plain::parse(text, false);
        assert!(article.agency.is_none(), "{text}");
    }
}
