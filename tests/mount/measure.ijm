// Argument: TASKS|RESULT. TASKS has a line "open<tab>PATH" or "sequence<tab>FOLDER" each. RESULT gets a line "image"
// for each and a line "plane" for each of its slices; it is written as we go, so that a failure shows where it was.
arguments = split(getArgument(), "|");
tasks = split(File.openAsString(arguments[0]), "\n");
out = arguments[1];
File.saveString("", out);
setBatchMode(true);
for (i = 0; i < tasks.length; i++) {
    task = split(tasks[i], "\t");
    if (task[0] == "open")
        open(task[1]);
    else
        run("Image Sequence...", "dir=[" + task[1] + "/] sort");
    Stack.getDimensions(w, h, c, s, f);
    getVoxelSize(vx, vy, vz, unit);
    text = "image\t" + getTitle() + "\t" + w + "\t" + h + "\t" + c + "\t" + s + "\t" + f + "\t" + bitDepth();
    text += "\t" + unit + "\t" + d2s(vx, 9) + "\t" + d2s(vy, 9) + "\t" + d2s(vz, 9) + "\n";
    for (n = 1; n <= nSlices; n++) {
        setSlice(n);
        getStatistics(area, mean, min, max);
        label = getInfo("slice.label");
        if (label == "")
            label = "-";
        text += "plane\t" + label + "\t" + d2s(mean, 9) + "\t" + d2s(min, 9) + "\t" + d2s(max, 9) + "\n";
    }
    File.append(substring(text, 0, lengthOf(text) - 1), out);
    close();
}
