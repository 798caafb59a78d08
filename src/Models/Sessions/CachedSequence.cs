using System.Globalization;
using ManagedTransformers.Kernels;

namespace ManagedTransformers.Models;


/// <summary>What a KV cache holds of one sequence: pages of keys and values, and where its tokens stood.</summary>
internal sealed class CachedSequence(KeyValuePages pages)
{
    private const int Tokens = KeyValuePages.Tokens;

    private readonly List<KeyValuePage> _pages = [];
    private nint[] _addresses = [];        // of the pages
    private byte[] _visible = [];
    private int[] _columns = [];           // where each token stood in the padded batches

    /// <summary>Tokens held.</summary>
    public int Length { get; private set; }

    /// <summary>Whether some of them may not be attended to.</summary>
    public bool HasHidden { get; private set; }

    /// <summary>The column after the last token.</summary>
    public int EndColumn => Length == 0 ? 0 : _columns[Length - 1] + 1;

    /// <summary>1 where a token may be attended to, [length].</summary>
    public ReadOnlySpan<byte> Visible(int length) => _visible.AsSpan(0, length);

    /// <summary>How many of the tokens held may be attended to.</summary>
    public int CountVisible() => HasHidden ? Visible(Length).Count((byte)1) : Length;

    /// <summary>Where tokens stand in the padded batches, [length].</summary>
    public ReadOnlySpan<int> Columns(int length) => _columns.AsSpan(0, length);

    /// <summary>Where the pages begin, of the tokens held and of those that there is room for.</summary>
    public ReadOnlySpan<nint> Addresses => _addresses.AsSpan(0, _pages.Count);

    /// <summary>The page of a token.</summary>
    public KeyValuePage PageOf(int token) => _pages[token / Tokens];

    /// <summary>Forgets all tokens from <paramref name="length"/> on.</summary>
    public void Truncate(int length)
    {
        Length = length;
        HasHidden = Visible(length).Contains((byte)0);
        int kept = PagesFor(length);
        for (int i = kept; i < _pages.Count; i++) _pages[i].Release();
        _pages.RemoveRange(kept, _pages.Count - kept);
    }

    /// <summary>Makes room for tokens that follow those held, and notes where they stand; they count once <see cref="Commit"/> is called.</summary>
    public void Reserve(ReadOnlySpan<byte> visible, ReadOnlySpan<int> columns, int firstColumn)
    {
        MakeRoom(Length + visible.Length);
        visible.CopyTo(_visible.AsSpan(Length));
        HasHidden |= visible.Contains((byte)0);
        for (int i = 0; i < columns.Length; i++) _columns[Length + i] = firstColumn + columns[i];
    }

    /// <summary>Counts this many more tokens as read.</summary>
    public void Commit(int tokens) => Length += tokens;

    /// <summary>Says anew, by the mask of all columns read so far, which tokens may be attended to; returns how many of them may.</summary>
    public int Mask(ReadOnlySpan<int> mask)
    {
        int shown = 0;
        for (int i = 0; i < Length; i++)
        {
            _visible[i] = (byte)mask[_columns[i]];
            shown += _visible[i];
        }
        HasHidden = shown < Length;
        return shown;
    }

    /// <summary>Holds this many tokens from column 0 on, all visible; keys and values are to be written by <see cref="SetHead"/>.</summary>
    public void Fill(int length)
    {
        Truncate(0);
        MakeRoom(length);
        Array.Fill(_visible, (byte)1);
        for (int i = 0; i < length; i++) _columns[i] = i;
        Length = length;
    }

    /// <summary>Becomes a copy of what another one of the same layers and heads holds: both share its pages until one of them writes.</summary>
    public void CopyFrom(CachedSequence other)
    {
        Truncate(0);
        foreach (KeyValuePage page in other._pages.Take(PagesFor(other.Length)))
        {
            page.Share();
            Add(page);
        }
        GrowTo(other.Length);
        other._visible.AsSpan(0, other.Length).CopyTo(_visible);
        other._columns.AsSpan(0, other.Length).CopyTo(_columns);
        (Length, HasHidden) = (other.Length, other.HasHidden);
    }

    /// <summary>Copies the first tokens' keys or values of a head, [length, head_dim] as stored.</summary>
    public void CopyHead(int layer, KeyOrValue what, int head, int length, Span<byte> to)
    {
        for (int token = 0; token < length; token += Tokens)
        {
            int bytes = Math.Min(Tokens, length - token) * pages.VectorBytes;
            PageOf(token).Head(layer, what, head)[..bytes].CopyTo(to[(token * pages.VectorBytes)..]);
        }
    }

    /// <summary>Writes a head's keys or values of all tokens held, [length, head_dim] as stored.</summary>
    public void SetHead(int layer, KeyOrValue what, int head, ReadOnlySpan<byte> from)
    {
        for (int token = 0; token < Length; token += Tokens)
        {
            int bytes = Math.Min(Tokens, Length - token) * pages.VectorBytes;
            from.Slice(token * pages.VectorBytes, bytes).CopyTo(PageOf(token).Head(layer, what, head));
        }
    }

    private static int PagesFor(int tokens) => (tokens + Tokens - 1) / Tokens;

    // The page that is written next must be this sequence's alone.
    private void MakeRoom(int tokens)
    {
        if (Length % Tokens is int used and > 0 && _pages[Length / Tokens] is { IsShared: true } shared)
        {
            KeyValuePage own = shared.CopyOf(used);
            (_pages[Length / Tokens], _addresses[Length / Tokens]) = (own, own.Address);
            shared.Release();
        }
        while (_pages.Count < PagesFor(tokens)) Add(pages.Rent());
        GrowTo(tokens);
    }

    private void Add(KeyValuePage page)
    {
        if (_addresses.Length == _pages.Count) Array.Resize(ref _addresses, Math.Max(4, 2 * _pages.Count));
        _addresses[_pages.Count] = page.Address;
        _pages.Add(page);
    }

    private void GrowTo(int tokens)
    {
        if (tokens <= _visible.Length) return;
        int room = Math.Max(PagesFor(tokens) * Tokens, 2 * _visible.Length);
        Array.Resize(ref _visible, room);
        Array.Resize(ref _columns, room);
    }
}

/// <summary>A sequence of a session as a safetensors file: its tokens, and the keys and values of every layer.</summary>
/// <remarks>
/// Tensors: input_ids [length] and past_key_values.N.key and .value [heads, length, head_dim] in the cache's type. The metadata says
/// which model they were computed with: keys and values of other weights would be silently wrong.
/// </remarks>
internal static class SavedSequence
{
    /// <summary>What the metadata's <c>format</c> says.</summary>
    public const string Format = "ManagedTransformers.SavedSequence";

    private const string Version = "1";

    /// <summary>Writes a sequence of a session, which holds these tokens. The file is replaced only once the new one is complete.</summary>
    /// <exception cref="ArgumentException">The session has no KV cache, or holds another number of tokens.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, Session session, int sequence, ReadOnlySpan<int> inputIds)
    {
        ArgumentNullException.ThrowIfNull(session);
        KeyValueCache cache = CacheOf(session);
        CachedSequence held = cache.Of(sequence);
        if (held.Length != inputIds.Length)
            throw new ArgumentException($"Sequence {sequence} holds {held.Length} tokens; {inputIds.Length} ids were given.", nameof(inputIds));
        if (held.HasHidden)
            throw new ArgumentException($"Sequence {sequence} holds padding; only sequences without it can be saved.", nameof(sequence));
        var tensors = new List<TensorEntry> { TensorEntry.Create("input_ids", [inputIds.Length], inputIds.ToArray()) };
        long[] shape = [cache.Heads, held.Length, cache.HeadDim];
        for (int layer = 0; layer < cache.Layers; layer++)
        {
            tensors.Add(new TensorEntry(NameOf(layer, "key"), cache.Type.ToElementType(), shape, cache.Stored(sequence, layer, KeyOrValue.Key)));
            tensors.Add(new TensorEntry(NameOf(layer, "value"), cache.Type.ToElementType(), shape, cache.Stored(sequence, layer, KeyOrValue.Value)));
        }
        var metadata = new Dictionary<string, string> { ["format"] = Format, ["version"] = Version, ["model"] = session.Model.Fingerprint };
        SafetensorsWriter.Write(path, tensors, metadata);
    }

    /// <summary>
    /// Reads what <see cref="Write"/> wrote into a sequence of a session of the same model, which forgets what it held, and returns its tokens.
    /// </summary>
    /// <exception cref="CheckpointException">The file is damaged, no saved sequence, of another version, another model or another type of keys
    /// and values, or too long for the session.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static int[] Read(string path, Session session, int sequence)
    {
        ArgumentNullException.ThrowIfNull(session);
        KeyValueCache cache = CacheOf(session);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        CheckOrigin(file, session.Model);
        Weight ids = Find(file, "input_ids");
        long[] tokens = ids.Type is ElementType.I32 or ElementType.I64 && ids.Shape.Count == 1
            ? ids.ToInt64()
            : throw Bad(file, "input_ids", $"is {ids.Type} {ids.ShapeText}; whole numbers [length] are needed");
        if (tokens.Length > cache.MaxLength)
            throw Bad(file, "input_ids", $"has {tokens.Length} tokens; this session holds at most {cache.MaxLength} (SessionOptions.MaxLength). " +
                "Create a longer session");
        int vocabSize = session.Model.Config.VocabSize;
        if (Array.Find(tokens, token => (ulong)token >= (ulong)vocabSize) is not 0 and long wrong)
            throw Bad(file, "input_ids", $"holds token {wrong}; the model's tokens are 0 … {vocabSize - 1}");
        // All is checked before anything is overwritten.
        Weight[] keys = [.. Enumerable.Range(0, cache.Layers).Select(layer => Check(file, cache, NameOf(layer, "key"), tokens.Length))];
        Weight[] values = [.. Enumerable.Range(0, cache.Layers).Select(layer => Check(file, cache, NameOf(layer, "value"), tokens.Length))];
        CachedSequence held = cache.Of(sequence);
        held.Fill(tokens.Length);
        for (int layer = 0; layer < cache.Layers; layer++)
        {
            for (int head = 0; head < cache.Heads; head++)
            {
                int bytes = keys[layer].Bytes.Length / cache.Heads;
                held.SetHead(layer, KeyOrValue.Key, head, keys[layer].Bytes.Slice(head * bytes, bytes));
                held.SetHead(layer, KeyOrValue.Value, head, values[layer].Bytes.Slice(head * bytes, bytes));
            }
        }
        cache.Truncate(sequence, tokens.Length);           // counts the columns anew: what was held may have been longer
        return [.. tokens.Select(token => (int)token)];
    }

    private static void CheckOrigin(SafetensorsFile file, PretrainedModel model)
    {
        string Said(string key) => file.Metadata.GetValueOrDefault(key, "nothing");
        if (Said("format") != Format)
            throw Bad(file, null, $"its format is {Said("format")}; a saved sequence says {Format}. Give a file that a session was saved to");
        if (Said("version") != Version)
            throw Bad(file, null, $"its version is {Said("version")}; this runtime reads {Version}. Save the session again");
        if (Said("model") != model.Fingerprint)
            throw Bad(file, null, $"it was saved with another model (fingerprint {Said("model")}; this {model.Architecture} has {model.Fingerprint}). " +
                "Its keys and values mean nothing to this one: load it with the model that saved it, or read the text again");
    }

    private static Weight Check(SafetensorsFile file, KeyValueCache cache, string name, int length)
    {
        Weight tensor = Find(file, name);
        return tensor.Type == cache.Type.ToElementType() && tensor.Shape.SequenceEqual([cache.Heads, length, cache.HeadDim])
            ? tensor
            : throw Bad(file, name, string.Create(CultureInfo.InvariantCulture, $"is {tensor.Type} {tensor.ShapeText}; " +
                $"this session needs {cache.Type.ToElementType()} [{cache.Heads}, {length}, {cache.HeadDim}] (SessionOptions.KeyValueType)"));
    }

    private static Weight Find(SafetensorsFile file, string name) =>
        file.Weights.GetValueOrDefault(name) ?? throw Bad(file, name, "is missing. The file is incomplete: save the session again");

    private static KeyValueCache CacheOf(Session session) =>
        session.Cache ?? throw new ArgumentException($"A session of {session.Model.Architecture} has no KV cache; a decoder's is needed.", nameof(session));

    private static string NameOf(int layer, string kind) => string.Create(CultureInfo.InvariantCulture, $"past_key_values.{layer}.{kind}");

    private static CheckpointException Bad(SafetensorsFile file, string? tensor, string what) =>
        new($"{file.Name}: {(tensor is null ? "" : tensor + " ")}{what}.") { FileName = file.Name, TensorName = tensor };
}
