using ManagedTransformers.Models;
using ManagedTransformers.Tokenizers;

namespace ManagedTransformers.Cli;

/// <summary>Answers requests in order, each as soon as it is read: a program may write a line, read the answer, and write the next.</summary>
internal sealed class RequestAnswerer : IDisposable
{
    private static readonly string[] TokenizerFiles = ["tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "sentencepiece.bpe.model"];
    private readonly CommandContext _context;
    private readonly TextGenerator? _generator;        // null where the checkpoint has no tokenizer
    private readonly ICausalLM _model;

    private RequestAnswerer(CommandContext context, TextGenerator? generator, ICausalLM model, GenerationOptions defaults) =>
        (_context, _generator, _model, Defaults) = (context, generator, model, defaults);

    /// <summary>Null where the checkpoint has none: requests are then ids.</summary>
    public Tokenizer? Tokenizer => _generator?.Tokenizer;

    /// <summary>What the checkpoint says.</summary>
    public GenerationOptions Defaults { get; }

    /// <summary>Opens a checkpoint, or its model alone where it has no tokenizer files.</summary>
    public static RequestAnswerer Open(string directory, CommandContext context)
    {
        if (!TokenizerFiles.Any(file => File.Exists(Path.Combine(directory, file))))
        {
            var defaults = GenerationDefaults.Load(directory);
            GenerationArguments.Warn(context.Console, defaults.Warnings);
            return new RequestAnswerer(context, null, PretrainedModels.Load<ICausalLM>(directory, context.LoadOptions()), defaults.Options);
        }
        TextGenerator generator = TextGenerator.Load(directory, context.PipelineOptions());
        GenerationArguments.Warn(context.Console, generator.Warnings);
        return new RequestAnswerer(context, generator, generator.CausalLM, generator.Defaults);
    }

    /// <summary>Answers the lines of a file; a line that cannot be answered ends the work.</summary>
    /// <param name="file">The file; '-' is standard input.</param>
    /// <param name="asked">What the command line says; each request's own options go before it.</param>
    /// <param name="timings">Whether to report what each request took.</param>
    /// <param name="cancellationToken">Ends the work within one token.</param>
    public async Task AnswerAllAsync(string file, GenerationOptions asked, bool timings, CancellationToken cancellationToken)
    {
        using TextReader? opened = file == "-" ? null : new StreamReader(file, Utf8Input.Encoding);
        TextReader lines = opened ?? _context.Console.In;
        for (int number = 1; await lines.ReadLineAsync(cancellationToken).ConfigureAwait(false) is string line; number++)
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            GenerationRequest request = GenerationRequest.Parse($"{(file == "-" ? "Standard input" : file)}, line {number}", line);
            try
            {
                Answer(request, request.Options.Over(asked), timings, cancellationToken);
            }
            catch (ModelInputException e)
            {
                throw new ModelInputException($"{request.Where}: {GenerationArgument.WithNames(e.Message, option => option.Name)}", e);
            }
            catch (TokenizerException e)
            {
                throw new TokenizerException($"{request.Where}: {e.Message}", e);       // a pattern that is no regular expression
            }
        }
    }

    public void Dispose()
    {
        if (_generator is not null)
            _generator.Dispose();
        else
            _model.Dispose();
    }

    private void Answer(GenerationRequest request, GenerationOptions options, bool timings, CancellationToken cancellationToken)
    {
        int pad = PadToken(options);
        int[][] inputIds;
        GenerationOutput output;
        if (request.InputIds is { } ids)
        {
            inputIds = ids;
            output = _generator?.GenerateBatch(ids, request.AttentionMask, options, progress: null, cancellationToken)
                ?? _model.GenerateBatch(ids, request.AttentionMask, options, Defaults, progress: null, cancellationToken);
        }
        else
        {
            if (_generator is null)
                throw new ModelInputException(
                    "the request has prompts, and the checkpoint has no tokenizer (tokenizer.json, or vocab.json and merges.txt). Send input_ids.");
            int[][] prompts = [.. request.Prompts!.Select(prompt => _generator.Encode(prompt, options))];
            int longest = prompts.Max(prompt => prompt.Length);
            inputIds = [.. prompts.Select(prompt => (int[])[.. Enumerable.Repeat(pad, longest - prompt.Length), .. prompt])];
            // Without the padding: each text is then what it is alone.
            output = _generator.GenerateSequences(prompts, options, progress: null, cancellationToken);
        }
        var answer = new GenerationAnswer(output.PaddedSequences(inputIds, pad))
        {
            SequencesScores = output.Sequences[0].Score is null ? null : [.. output.Sequences.Select(one => one.Score!.Value)],
            Texts = _generator is null ? null : [.. output.Sequences.Select(one => one.Text)],
            LogProbabilities = output.Sequences[0].LogProbabilities is null
                ? null
                : [.. output.Sequences.Select(one => (ChosenToken[])[.. one.LogProbabilities!.Select(ChosenToken.Of)])],
        };
        CliJson.Write(_context.Console, answer, CliJsonContext.Relaxed.GenerationAnswer);
        _context.Console.Out.Flush();
        if (timings)
            UsageResult.Of(output.Usage, first: answer.SequencesScores is null ? output.Sequences.Count : inputIds.Length).Write(_context.Console);
    }

    // transformers takes the first end token, too; where no token ends a text, 0 is as good as any.
    private int PadToken(GenerationOptions options)
    {
        GenerationOptions all = options.Over(Defaults);
        IReadOnlyList<int> ends = all.EosTokenId ?? _model.Config.EosTokenId;
        return all.PadTokenId ?? (ends.Count > 0 ? ends[0] : 0);
    }
}
