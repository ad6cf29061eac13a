//! Word lists: ordinary vocabulary and syllables that invented words are made of.

/// A language, by how its words look.
pub struct Flavour {
    /// Share of the works, in thousandths.
    pub weight: u32,
    /// Everyday words, the most usual first.
    pub common: &'static [&'static str],
    pub onsets: &'static [&'static str],
    pub nuclei: &'static [&'static str],
    pub codas: &'static [&'static str],
    /// Most syllables of an invented word.
    pub syllables: usize,
    /// True if words are written without blanks between them.
    pub dense: bool,
}

const ENGLISH_WORDS: &str = "the you of love in to a and me my it on for night your is time day all with heart no man be life one \
let we down up world this blue can't from out baby don't dance dream go back little home girl when good come what black new rock away \
like big sun song that never light soul star we're sweet know way feel I'm fire moon music now know are so road last do over street blues \
city old true get cold red into rain not wild water house free boy eyes long say white land high more river just gone lost money right \
hand got keep want people play here again but take there sky how midnight summer if lonely make two stop only stay better part look \
around first tell ever where wind as made give rise run hot king alone ocean still left mind deep rhythm morning break smile walk at \
crazy lady hello call paradise burning inside queen golden dark beat sister power train every without angel silver winter hold through \
shadow country machine letter sing real thing party ground year mountain tomorrow glass stone electric by mother child fall train green \
garden ghost story space under before dead bird mirror between body war signal line voice magic radio open room silent number system \
theme island flower door west human secret final friend memory town second window broken steel station distant motion velvet was have \
they will had his her were been who their would about could other than then some these may each which she many him first made over \
such after also most must even because any same very our well work three own those both used per set end does another between few \
while next band record album recorded released label side track studio live tape sound original copy version edition guitar drums bass \
piano produced written sleeve cover print limited printed copies vinyl series issued pressing notes credits art design members group \
formed started solo career known based early later several various since during tour single appears contains included taken thanks \
everybody special information please see available made rights reserved under license courtesy publishing mastered mixed";

const ENGLISH: Flavour = Flavour {
    weight: 600,
    common: &[ENGLISH_WORDS],
    onsets: &[
        "b", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl", "pr", "qu", "r", "s", "sh", "sl",
        "sp", "st", "str", "t", "th", "tr", "v", "w", "wh", "",
    ],
    nuclei: &["a", "e", "i", "o", "u", "ea", "ee", "oo", "ou", "ai", "ie", "y"],
    codas: &["n", "", "r", "t", "", "l", "s", "d", "m", "ck", "ng", "nd", "st", "ll", "rt", "ss", "x", "ght", "ve", "ne", "rd"],
    syllables: 3,
    dense: false,
};

const ROMANCE: Flavour = Flavour {
    weight: 150,
    common: &[
        "de la el que y en a mi no un los te una se con del por amor lo tu es para las di il e un che non più le et les je des tu pas une mon du dans vie sur qui est l'amour o da do um não meu coração vida noche corazón canción sin vez día adiós donde más soy solo quiero ti sole notte cuore mare ciel nuit chanson été jour où rêve",
    ],
    onsets: &["b", "c", "ch", "d", "f", "g", "gu", "l", "m", "n", "p", "qu", "r", "s", "t", "v", "tr", "br", "pl", "cr", "z", "j", "", "ll"],
    nuclei: &["a", "e", "o", "i", "a", "u", "ia", "io", "é", "á", "ó", "í", "ue", "ie", "eau", "ã", "ñe", "ço"],
    codas: &["", "", "", "n", "s", "r", "l", "z", "nte", "ndo", "m"],
    syllables: 4,
    dense: false,
};

const GERMANIC: Flavour = Flavour {
    weight: 80,
    common: &[
        "der die und das ich in ein du nicht mit auf ist von es zu mir den im für dich eine so am wir liebe nacht wie mein zeit nur wenn herz welt leben alles noch tag über schön weg wieder bis was für het van een ik je niet op dat maar hart weer meer geen uit aan zijn voor",
    ],
    onsets: &["b", "br", "d", "f", "fr", "g", "gr", "h", "k", "kl", "l", "m", "n", "p", "r", "s", "sch", "schw", "sp", "st", "t", "v", "w", "z", "zw", ""],
    nuclei: &["e", "a", "i", "o", "u", "ei", "ie", "au", "ä", "ö", "ü", "aa", "oo", "e"],
    codas: &["n", "r", "t", "l", "ch", "cht", "nd", "ng", "s", "ß", "tz", "ck", "lt", "rg", "en", "er", ""],
    syllables: 4,
    dense: false,
};

const NORDIC: Flavour = Flavour {
    weight: 50,
    common: &[
        "och jag det i en är att på du som den av för med inte ett har så till vi mig kan og jeg et er av til deg ikke min ja on se ei kun mun sinä yö rakas kärlek natt sommar hjerte verden dag livet",
    ],
    onsets: &["b", "d", "f", "fj", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "sk", "st", "t", "v", "tr", "sv", ""],
    nuclei: &["a", "e", "i", "o", "u", "y", "å", "ö", "aa", "ä", "ø", "uu", "ie"],
    codas: &["n", "r", "t", "l", "s", "g", "nen", "ng", "lv", "d", "rt", "sson", ""],
    syllables: 3,
    dense: false,
};

const SLAVIC: Flavour = Flavour {
    weight: 60,
    common: &[
        "i w na nie się z do to mi ja jest o za ty mój jak a tak co po ve je ne se na kad te sam moja zašto volim nek ti noc život láska píseň den srdce pieśń serce świat",
    ],
    onsets: &["b", "c", "cz", "č", "d", "g", "h", "k", "l", "m", "n", "p", "pr", "r", "s", "sz", "š", "t", "v", "w", "z", "ž", "kr", ""],
    nuclei: &["a", "e", "i", "o", "u", "y", "ě", "á", "ą", "ie", "ov"],
    codas: &["", "k", "n", "m", "ł", "ć", "ski", "ica", "j", "v", "ra", "nka"],
    syllables: 3,
    dense: false,
};

const JAPANESE: Flavour = Flavour {
    weight: 30,
    common: &["no wa ga ni o to mo kara made koi yume hana sora kimi boku natsu umi kaze ai yoru"],
    onsets: &["k", "s", "t", "n", "h", "m", "y", "r", "w", "g", "z", "d", "b", "sh", "ch", "ts", "j", "ky", "ry", ""],
    nuclei: &["a", "i", "u", "e", "o", "ou", "ei"],
    codas: &["", "", "", "", "n"],
    syllables: 4,
    dense: false,
};

const CYRILLIC: Flavour = Flavour {
    weight: 10,
    common: &["и в не на я с что ты как мы по но за от мой для это мне любовь ночь день песня город сердце где"],
    onsets: &["б", "в", "г", "д", "ж", "з", "к", "л", "м", "н", "п", "р", "с", "т", "х", "ч", "ш", "пр", "ст", "кр", ""],
    nuclei: &["а", "е", "и", "о", "у", "ы", "я", "ю", "э"],
    codas: &["", "н", "л", "т", "к", "й", "ск", "в", "ть", "рь", "х"],
    syllables: 3,
    dense: false,
};

const GREEK: Flavour = Flavour {
    weight: 5,
    common: &["και το να μου η ο σε με για τα της που δεν θα στην αγάπη νύχτα ζωή"],
    onsets: &["β", "γ", "δ", "ζ", "θ", "κ", "λ", "μ", "ν", "π", "ρ", "σ", "τ", "φ", "χ", "στρ", ""],
    nuclei: &["α", "ε", "η", "ι", "ο", "υ", "ω", "ά", "έ", "ή", "ί", "ό", "ου"],
    codas: &["", "", "ς", "ν", "ρ"],
    syllables: 4,
    dense: false,
};

const KANA: Flavour = Flavour {
    weight: 4,
    common: &["の は が を に と も で ない"],
    onsets: &["ア", "カ", "サ", "タ", "ナ", "ハ", "マ", "ラ", "グ", "ド", "シ", "チ", "ル", "ー", "ン", "ッ", "キ", "ト", "フ", "ジ"],
    nuclei: &["ー", "ン", "イ", "オ", "ス", "ク", "リ", "レ", "ム", "ト", "ュ", "ャ"],
    codas: &["", "", "ア", "ズ", "ド"],
    syllables: 3,
    dense: true,
};

const HAN: Flavour = Flavour {
    weight: 4,
    common: &["的 一 不 人 天 我 心 大 夜 花 月"],
    onsets: &[
        "愛", "夢", "風", "海", "空", "星", "春", "夏", "秋", "冬", "山", "雨", "光", "東", "京", "少", "女", "時", "道", "歌", "音", "樂", "神", "龍", "雪",
        "金", "紅", "青",
    ],
    nuclei: &["之", "子", "生", "上", "下", "中", "年", "日", "情", "曲", "人", "行", "國", "城", "水", "世", "界", "見", "手", "火"],
    codas: &["", "", "", "集", "記", "傳"],
    syllables: 2,
    dense: true,
};

const HANGUL: Flavour = Flavour {
    weight: 2,
    common: &["나 너 그 사랑 밤 꿈"],
    onsets: &["가", "나", "다", "라", "마", "바", "사", "아", "자", "하", "고", "노", "도", "소", "오", "지", "기", "시"],
    nuclei: &["랑", "람", "리", "늘", "은", "는", "을", "에", "다", "길", "별", "품", "록"],
    codas: &["", "", "의", "도"],
    syllables: 2,
    dense: false,
};

const HEBREW: Flavour = Flavour {
    weight: 2,
    common: &["את של על לא זה אני לי כל"],
    onsets: &["א", "ב", "ג", "ד", "ה", "ו", "ח", "י", "כ", "ל", "מ", "נ", "ס", "ע", "פ", "ק", "ר", "ש", "ת"],
    nuclei: &["ו", "י", "א", "ה", "ל", "ר"],
    codas: &["", "ם", "ן", "ת", "ה"],
    syllables: 2,
    dense: false,
};

/// All flavours, English first.
pub const FLAVOURS: &[Flavour] = &[ENGLISH, ROMANCE, GERMANIC, NORDIC, SLAVIC, JAPANESE, CYRILLIC, GREEK, KANA, HAN, HANGUL, HEBREW];

pub const GIVEN: &str = "John David Michael Paul Peter Mark James Robert Richard Thomas Andrew Steve Chris Martin Daniel Tony Jim Bob \
Mike Bill Tom George Brian Kevin Frank Alan Eric Jack Joe Simon Stefan Christian Ian Gary Scott Ray Charles William Nick Matt Alex Dave \
Dan Jeff Ron Max Carl Karl Hans Jan Lars Erik Anna Maria Julia Laura Sarah Lisa Nina Eva Emma Claudia Elena Sofia Alice Kate Jane Mary \
Susan Linda Carol Ruth Helen José Luis Carlos Juan Antonio Miguel Manuel Pedro Jorge Fernando Marco Paolo Giovanni Franco Luca Pierre \
Jean Michel François Philippe Marc Luc Claude Jürgen Günter Klaus Wolfgang Uwe Horst Bernd Heinz Ralf Björn Göran Åke Søren Ole Nils \
Mikael Pekka Juha Jari Igor Ivan Sergei Andrei Pavel Tomasz Piotr Jiří Zdeněk Miloš Goran Zoran Kenji Hiroshi Takashi Yuki Akira Samuel \
Oliver Leon Walter Arthur Albert Louis Ernest Harold Leonard Norman Otis Clarence Leroy Curtis Marvin Isaac Willie Sam Ben Adam Toby \
Neil Keith Roger Stuart Graham Colin Trevor Barry Glenn Duncan Derek Ross Craig Doug Greg Phil Rob Tim Ken Don Lee Roy Ted Vince Zack";
