using System.Text;

namespace ManagedTransformers;

/// <summary>How a model that was trained to infill is asked for what stands between texts. The tokenizer's tokens say how, not the family.</summary>
internal sealed class InfillFormat
{
    private static readonly EncodeOptions s_uncut = new() { Truncation = Truncation.None, Padding = Padding.None };
    private readonly Tokenizer _tokenizer;
    private readonly Tokenizer _texts;         // reads texts of users: tokens of the format in them are text
    private readonly Tokenizer _suffixes;      // the same for texts after a gap
    private readonly InfillTokens _tokens;
    private readonly int[] _begin;             // what the tokenizer puts before every text, such as <s>
    private readonly int? _repository, _file;

    /// <inheritdoc cref="InfillTokens.Of"/>
    public InfillFormat(Tokenizer tokenizer, string? modelType = null)
    {
        _tokenizer = tokenizer;
        _tokens = InfillTokens.Of(tokenizer, modelType);
        _texts = tokenizer.ReadingAsText(token => token.Special || _tokens.Has(token.Content));
        _suffixes = _tokens.SuffixGoesOn ? _texts.WithNothingBefore() : _texts;
        TokenRow empty = tokenizer.EncodeRow("", pair: null, s_uncut);
        _begin = empty.Ids[..empty.FirstToken];
        (_repository, _file) = (Find(_tokens.Repository), Find(_tokens.File));
        EosTokenId = [.. _tokens.Ends.Select(Find).OfType<int>()];
    }

    /// <summary>The tokens that end the text of a gap.</summary>
    public IReadOnlyList<int> EosTokenId { get; }

    /// <summary>The prompt that asks for the first gap.</summary>
    /// <param name="request">The texts around the gaps, and what else is known.</param>
    /// <param name="room">The most tokens. A longer prompt loses its files, the first ones first; then the beginning of the text before the first gap, down
    /// to three quarters of what is left; then the end of the text after the last gap.</param>
    /// <exception cref="ConfigException">There are more gaps than the tokenizer has tokens for.</exception>
    /// <exception cref="ModelInputException">The model has no token for what the request names, or the room is not even enough for what may not be
    /// cut.</exception>
    public InfillPrompt Prompt(InfillRequest request, int room = int.MaxValue)
    {
        RequireTokens(request);
        int[] ids = Write(request, dropped: 0);
        int dropped = 0;
        while (ids.Length > room && dropped < request.Files.Count)
        {
            for (int excess = ids.Length - room; excess > 0 && dropped < request.Files.Count; dropped++)
                excess -= MostTokens(request.Files[dropped]);
            ids = Write(request, dropped);
        }
        return ids.Length <= room ? new InfillPrompt(ids, dropped, DroppedTokens: 0) : Cut(request, dropped, room);
    }

    /// <summary>Ids of the prompt that asks for the next gap.</summary>
    /// <param name="prompt">The prompt of the gap before it.</param>
    /// <param name="answer">What was written there.</param>
    /// <param name="gap">The next gap, from 0.</param>
    public int[] Next(int[] prompt, string answer, int gap) => [.. prompt, .. Encode(_texts, answer), EosTokenId[0], GapId(gap)];

    private int[] Write(InfillRequest request, int dropped, int[]? prefix = null, int[]? suffix = null)
    {
        var prompt = new PromptWriter(_begin, _texts);
        WriteNames(prompt, request, dropped);
        prompt.Add(request.Parts[0], prefix);
        for (int gap = 0; gap < request.Gaps; gap++)
        {
            prompt.Add(GapId(gap));
            prompt.Texts = _suffixes;
            prompt.Add(request.Parts[gap + 1], gap == request.Gaps - 1 ? suffix : null);
        }
        foreach (string token in _tokens.After)
            prompt.Add(Find(token));
        return prompt.ToIds();
    }

    // What stands before the text before the first gap: repository, files, path, in the order in which the model saw them.
    private void WriteNames(PromptWriter prompt, InfillRequest request, int dropped)
    {
        string path = request.Path is null ? "" : request.Path + "\n";
        IEnumerable<(string Path, string Text)> files = request.Files.Skip(dropped);
        if (request.Repository is string repository)
        {
            prompt.Add(_repository);
            prompt.Add(repository + _tokens.Separator);
        }
        if (_file is not int file)
        {
            prompt.Add(Find(_tokens.Before));
            foreach ((string name, string text) in files)
                prompt.Add(AsText(name, text));
            prompt.Add(path.Length > 0 ? "#" + path : "");
            return;
        }
        foreach ((string name, string text) in files)
        {
            prompt.Add(file);
            prompt.Add($"{name}\n{text}{_tokens.Separator}");
        }
        prompt.Add(request.HasContext && !_tokens.FileIsInside ? file : null);
        prompt.Add(_tokens.PathIsInside ? "" : path);
        prompt.Add(Find(_tokens.Before));
        prompt.Add(path.Length > 0 && _tokens.FileIsInside ? file : null);
        prompt.Add(_tokens.PathIsInside ? path : "");
    }

    // As DeepSeek-Coder was trained: arXiv:2401.14196, and its README's "Repository Level Code Completion".
    private static string AsText(string path, string text) => $"#{path}\n{text}{(text.EndsWith('\n') ? "" : "\n")}";

    private InfillPrompt Cut(InfillRequest request, int dropped, int room)
    {
        int[] prefix = Encode(_texts, request.Parts[0]), suffix = Encode(_suffixes, request.Parts[^1]);
        int fixedTokens = Write(request, dropped, prefix: [], suffix: []).Length;
        int left = room - fixedTokens;
        if (left < 1)
            throw new ModelInputException($"The prompt has room for {room} tokens; tokens of infilling, names and texts between gaps are {fixedTokens} " +
                "already, and they are not cut. Ask for fewer new tokens, or fill fewer gaps at a time.");
        int keptSuffix = Math.Min(suffix.Length, Math.Max(left / 4, left - prefix.Length));
        int keptPrefix = Math.Min(prefix.Length, left - keptSuffix);
        int[] ids = Write(request, dropped, prefix[^keptPrefix..], suffix[..keptSuffix]);
        return new InfillPrompt(ids, dropped, prefix.Length - keptPrefix + suffix.Length - keptSuffix);
    }

    // At least as many as the prompt is shorter without the file; at an edge two tokens may be one.
    private int MostTokens((string Path, string Text) file) => Encode(_texts, AsText(file.Path, file.Text)).Length + 2;

    private static int[] Encode(Tokenizer tokenizer, string text) => tokenizer.EncodeToIds(text, pair: null, EncodeOptions.Plain);

    private int? Find(string? token) => token is null ? null : _tokenizer.TokenToId(token);

    private int GapId(int gap) => Find(_tokens.GapToken(gap + 1))!.Value;

    private void RequireTokens(InfillRequest request)
    {
        if (request.Repository is not null && _repository is null)
            throw new ModelInputException($"Repository is \"{request.Repository}\", and the tokens of {_tokens.Model} have none for a repository's name. " +
                "Leave it out: path and files are read as text.");
        int gaps = request.Gaps;
        if (gaps > 1 && !_tokens.CountsGaps)
            throw new ConfigException($"There are {gaps} gaps, and the tokens of {_tokens.Model} mark one. Fill one gap at a time.");
        for (int gap = 2; gap <= gaps; gap++)
        {
            if (Find(_tokens.GapToken(gap)) is null)
                throw new ConfigException($"The tokenizer has no <mask_{gap}>; {gaps} gaps need <mask_1> to <mask_{gaps}>. " +
                    $"Fill {(gap == 2 ? "one gap" : $"at most {gap - 1} gaps")} at a time, or load a model with more masks (CodeGen2 has 899).");
        }
    }

    /// <summary>Ids in the making. Texts that follow each other are read as one, up to the next token.</summary>
    private sealed class PromptWriter(int[] begin, Tokenizer texts)
    {
        private readonly List<int> _ids = [.. begin];
        private readonly StringBuilder _text = new();

        /// <summary>Reads the texts.</summary>
        public Tokenizer Texts { get; set; } = texts;

        public void Add(string text) => _text.Append(text);

        /// <summary>A text, or what a cut left of it.</summary>
        public void Add(string text, int[]? cut)
        {
            if (cut is null)
                Add(text);
            else
                ReadTexts().AddRange(cut);
        }

        /// <summary>A token; null: none.</summary>
        public void Add(int? token)
        {
            if (token is int id)
                ReadTexts().Add(id);
        }

        public int[] ToIds() => [.. ReadTexts()];

        private List<int> ReadTexts()
        {
            _ids.AddRange(Encode(Texts, _text.ToString()));
            _text.Clear();
            return _ids;
        }
    }
}

/// <summary>A prompt that asks for a gap.</summary>
/// <param name="TokenIds">Its tokens.</param>
/// <param name="DroppedFiles">How many files were left out for want of room, from the first.</param>
/// <param name="DroppedTokens">How many tokens of the texts around the gap were left out, too.</param>
internal sealed record InfillPrompt(int[] TokenIds, int DroppedFiles, int DroppedTokens);
