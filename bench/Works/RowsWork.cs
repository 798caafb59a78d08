using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

namespace ManagedTransformers.Bench;

/// <summary>Decoding some rows together, as several completions of one prompt do, interleaved with as many tokens of one row alone.</summary>
internal sealed class RowsWork : Work
{
    private const int Growth = 32;

    private readonly int _rows, _context, _steps;
    private readonly ModelCache _models;
    private readonly int[] _tokens, _sequences;
    private CodeGenForCausalLM? _model;

    /// <param name="rows">Rows of a pass.</param>
    /// <param name="context">Tokens of the prompt that they share.</param>
    /// <param name="models">Where the model comes from.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="steps">Passes of a run; the sibling has one row, and as many passes as this has rows.</param>
    public RowsWork(int rows, int context, ModelCache models, KernelOptions kernels, int steps = 1)
        : base($"{ModelSize.CodeGen.Name} {rows} rows at {context}", kernels)
    {
        (_rows, _context, _models, _steps) = (rows, context, models, steps);
        (_tokens, _sequences) = (TokenIds.Some(rows), [.. Enumerable.Range(0, rows)]);
        Tokens = rows * steps;
        if (rows > 1)
            Siblings = [("one row, as many tokens", () => new RowsWork(1, context, models, kernels, rows))];
    }

    public override void Prepare()
    {
        _model = _models.Load<CodeGenForCausalLM>(ModelSize.CodeGen.Checkpoint, Kernels);
        Session = _model.CreateSession(new SessionOptions { BatchSize = _rows, MaxLength = _context + Math.Max(Growth, _steps) });
        _model.Append(TokenIds.Some(_context), [_context], [0], Session, ScoresOf.None);
        for (int row = 1; row < _rows; row++)
            Session.Cache!.Copy(Session.Cache, 0, row);
    }

    public override void BeforeRun()
    {
        if (Session!.Cache!.Length(0) + _steps <= Session.Cache.MaxLength)
            return;
        foreach (int sequence in _sequences)
            Session.Cache.Truncate(sequence, _context);
    }

    public override void Run()
    {
        for (int step = 0; step < _steps; step++)
            _model!.Step(_tokens, _sequences, Session!);
    }
}
