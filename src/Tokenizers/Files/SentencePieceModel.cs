namespace ManagedTransformers.Tokenizers;

/// <summary>What a piece of a SentencePiece model is; ModelProto.SentencePiece.Type.</summary>
internal enum PieceType
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>A piece: its text, the logarithm of its probability (of a BPE: minus its rank), and what it is.</summary>
internal readonly record struct SentencePiece(string Text, float Score, PieceType Type);

/// <summary>A tokenizer.model of SentencePiece, as far as it says how text becomes ids.</summary>
/// <remarks>sentencepiece_model.proto: pieces (1), trainer_spec (2), normalizer_spec (3), self_test_data (4), denormalizer_spec (5). What is about training
/// alone is passed over.</remarks>
internal sealed class SentencePieceModel
{
    private const int Bpe = 2;

    private readonly string _path;
    private readonly List<SentencePiece> _pieces = [];
    private int _modelType = 1;
    private bool _whitespaceAsSuffix;
    private bool _escapeWhitespaces = true;
    private bool _denormalizes;

    private SentencePieceModel(string path) => _path = path;

    public IReadOnlyList<SentencePiece> Pieces => _pieces;

    /// <summary>Is it a BPE? Else it is a Unigram.</summary>
    public bool IsBpe => _modelType == Bpe;

    /// <summary>Unknown characters become the pieces of their bytes.</summary>
    public bool ByteFallback { get; private set; }

    /// <summary>Ids of the tokens that begin and end a text and fill a batch; negative: there is none.</summary>
    public (int Bos, int Eos, int Pad) EndIds { get; private set; } = (1, 2, -1);

    /// <summary>Number of the piece that stands for what is unknown.</summary>
    public int UnkId { get; private set; }

    /// <summary>A space is put before every text.</summary>
    public bool AddDummyPrefix { get; private set; } = true;

    /// <summary>Spaces at the ends go, and of several in a row one stays.</summary>
    public bool RemoveExtraWhitespaces { get; private set; } = true;

    /// <summary>How characters are replaced; null: they stay.</summary>
    public CharacterMap? Characters { get; private set; }

    /// <summary>Reads a model.</summary>
    /// <param name="bytes">The file.</param>
    /// <param name="path">Its name, for errors.</param>
    /// <exception cref="TokenizerException">It is damaged, or has what is not supported.</exception>
    public static SentencePieceModel Read(ReadOnlySpan<byte> bytes, string path)
    {
        var model = new SentencePieceModel(path);
        var reader = new ProtobufReader(bytes, path);
        while (reader.TryNext(out int field))
        {
            switch (field)
            {
                case 1: model._pieces.Add(ReadPiece(reader.Bytes(), $"{path}: piece {model._pieces.Count}")); break;
                case 2: model.ReadTrainer(reader.Bytes()); break;
                case 3: model.ReadNormalizer(reader.Bytes()); break;
                case 5: model.ReadDenormalizer(reader.Bytes()); break;
                default: reader.Skip(); break;
            }
        }
        model.RefuseUnsupported();
        model.CheckPieces();
        return model;
    }

    private static SentencePiece ReadPiece(ReadOnlySpan<byte> message, string path)
    {
        var reader = new ProtobufReader(message, path);
        (string text, float score, PieceType type) = ("", 0, PieceType.Normal);
        while (reader.TryNext(out int field))
        {
            switch (field)
            {
                case 1: text = reader.String(); break;
                case 2: score = reader.Float(); break;
                case 3: type = (PieceType)reader.Int32(); break;
                default: reader.Skip(); break;
            }
        }
        if (text.Length == 0) throw new TokenizerException($"{path} has no text. The file is damaged: get it again.");
        if (!float.IsFinite(score)) throw new TokenizerException($"{path}, {Vocabulary.Show(text)}, has the score {score}; it must be a finite number.");
        if (!Enum.IsDefined(type))
            throw new TokenizerException($"{path}, {Vocabulary.Show(text)}, has type {(int)type}; known are " +
                $"{string.Join(", ", Enum.GetNames<PieceType>())} (1 to 6).");
        return new SentencePiece(text, score, type);
    }

    private void ReadTrainer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, $"{_path}: trainer_spec");
        while (reader.TryNext(out int field))
        {
            switch (field)
            {
                case 3: _modelType = reader.Int32(); break;
                case 24: _whitespaceAsSuffix = reader.Bool(); break;
                case 35: ByteFallback = reader.Bool(); break;
                case 41: EndIds = EndIds with { Bos = reader.Int32() }; break;
                case 42: EndIds = EndIds with { Eos = reader.Int32() }; break;
                case 43: EndIds = EndIds with { Pad = reader.Int32() }; break;
                default: reader.Skip(); break;
            }
        }
    }

    private void ReadNormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, $"{_path}: normalizer_spec");
        while (reader.TryNext(out int field))
        {
            switch (field)
            {
                case 2:
                    ReadOnlySpan<byte> map = reader.Bytes();
                    Characters = map.IsEmpty ? null : CharacterMap.Read(map, $"{_path}: normalizer_spec.precompiled_charsmap");
                    break;
                case 3: AddDummyPrefix = reader.Bool(); break;
                case 4: RemoveExtraWhitespaces = reader.Bool(); break;
                case 5: _escapeWhitespaces = reader.Bool(); break;
                default: reader.Skip(); break;
            }
        }
    }

    private void ReadDenormalizer(ReadOnlySpan<byte> message)
    {
        var reader = new ProtobufReader(message, $"{_path}: denormalizer_spec");
        while (reader.TryNext(out int field))
        {
            if (field == 2) _denormalizes = !reader.Bytes().IsEmpty;
            else reader.Skip();
        }
    }

    private void RefuseUnsupported()
    {
        string kind = _modelType switch { 3 => "word", 4 => "char", _ => "unknown" };
        (string What, string Needed)? unsupported =
            _modelType is not (1 or Bpe) ? ($"trainer_spec.model_type {_modelType} ({kind})", "1 (unigram) and 2 (bpe)")
            : _whitespaceAsSuffix ? ("trainer_spec.treat_whitespace_as_suffix", "▁ before a word")
            : !_escapeWhitespaces ? ("normalizer_spec.escape_whitespaces false", "spaces as ▁")
            : _denormalizes ? ("a denormalizer_spec.precompiled_charsmap", "decoding without one")
            : null;
        if (unsupported is (string what, string needed))
            throw new TokenizerException($"{_path} has {what}, which is not supported here; supported is {needed}. " +
                "A tokenizer.json of the model may say it otherwise.");
    }

    private void CheckPieces()
    {
        int[] unknown = [.. Enumerable.Range(0, _pieces.Count).Where(i => _pieces[i].Type == PieceType.Unknown)];
        if (unknown.Length != 1)
            throw new TokenizerException($"{_path} has {_pieces.Count} pieces, {unknown.Length} of them of type Unknown; it must be one, for what the others " +
                "do not have. The file is damaged or no SentencePiece model: get it again.");
        UnkId = unknown[0];
        int unused = _pieces.FindIndex(piece => piece.Type == PieceType.Unused);
        if (unused >= 0)
            throw new TokenizerException($"{_path}: piece {unused}, {Vocabulary.Show(_pieces[unused].Text)}, is of type Unused, which is not supported here: " +
                "SentencePiece does not give it, transformers does. Make it Normal, or give a tokenizer.json.");
        if (ByteFallback != _pieces.Exists(piece => piece.Type == PieceType.Byte))
            throw new TokenizerException($"{_path} says trainer_spec.byte_fallback {(ByteFallback ? "true, and has no" : "false, and has")} pieces " +
                "of type Byte; the two must agree. The file is damaged: get it again.");
    }
}
