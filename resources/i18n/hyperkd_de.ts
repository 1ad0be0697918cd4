<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
<context>
    <name>HyperKD</name>
    <message>
        <source> and {count} more</source>
        <translation> und {count} weitere</translation>
    </message>
    <message>
        <source> h</source>
        <translation> h</translation>
    </message>
    <message>
        <source>&amp;1 Labels</source>
        <translation>&amp;1 Label</translation>
    </message>
    <message>
        <source>&amp;1 Scenes and settings</source>
        <translation>&amp;1 Szenen und Einstellungen</translation>
    </message>
    <message>
        <source>&amp;2 Settings</source>
        <translation>&amp;2 Einstellungen</translation>
    </message>
    <message>
        <source>&amp;2 Training</source>
        <translation>&amp;2 Training</translation>
    </message>
    <message>
        <source>&amp;3 Training</source>
        <translation>&amp;3 Training</translation>
    </message>
    <message>
        <source>&amp;4 Result</source>
        <translation>&amp;4 Ergebnis</translation>
    </message>
    <message>
        <source>&amp;Add files…</source>
        <translation>Dateien &amp;hinzufügen…</translation>
    </message>
    <message>
        <source>&amp;Add file…</source>
        <translation>&amp;Datei hinzufügen…</translation>
    </message>
    <message>
        <source>&amp;Budget</source>
        <translation>Bu&amp;dget</translation>
    </message>
    <message>
        <source>&amp;Cancel</source>
        <translation>&amp;Abbrechen</translation>
    </message>
    <message>
        <source>&amp;Continue</source>
        <translation>&amp;Weiter</translation>
    </message>
    <message>
        <source>&amp;Distil a student…</source>
        <translation>Studenten &amp;destillieren…</translation>
    </message>
    <message>
        <source>&amp;Engine…</source>
        <translation>&amp;Engine…</translation>
    </message>
    <message>
        <source>&amp;Fetch</source>
        <translation>&amp;Holen</translation>
    </message>
    <message>
        <source>&amp;Fine-tune a model…</source>
        <translation>Modell &amp;feinabstimmen…</translation>
    </message>
    <message>
        <source>&amp;Get teachers…</source>
        <translation>Lehrer h&amp;olen…</translation>
    </message>
    <message>
        <source>&amp;Hold out for the test</source>
        <translation>Für den Test &amp;zurückhalten</translation>
    </message>
    <message>
        <source>&amp;Interpreter</source>
        <translation>&amp;Interpreter</translation>
    </message>
    <message>
        <source>&amp;Labels</source>
        <translation>&amp;Label</translation>
    </message>
    <message>
        <source>&amp;Map all scenes</source>
        <translation>Alle Szenen &amp;kartieren</translation>
    </message>
    <message>
        <source>&amp;Models…</source>
        <translation>&amp;Modelle…</translation>
    </message>
    <message>
        <source>&amp;Pause</source>
        <translation>&amp;Pause</translation>
    </message>
    <message>
        <source>&amp;Remove</source>
        <translation>&amp;Entfernen</translation>
    </message>
    <message>
        <source>&amp;Remove engine…</source>
        <translation>Engine en&amp;tfernen…</translation>
    </message>
    <message>
        <source>&amp;Save a copy…</source>
        <translation>&amp;Kopie speichern…</translation>
    </message>
    <message>
        <source>&amp;Save model to the store</source>
        <translation>&amp;Modell in die Sammlung</translation>
    </message>
    <message>
        <source>&amp;Set up</source>
        <translation>&amp;Einrichten</translation>
    </message>
    <message>
        <source>&amp;Set up again</source>
        <translation>Neu &amp;einrichten</translation>
    </message>
    <message>
        <source>&amp;Size of the student</source>
        <translation>&amp;Größe des Studenten</translation>
    </message>
    <message>
        <source>&amp;Start from</source>
        <translation>&amp;Beginnen mit</translation>
    </message>
    <message>
        <source>&amp;Stop and keep the best</source>
        <translation>B&amp;eenden, bestes behalten</translation>
    </message>
    <message>
        <source>&amp;Test here</source>
        <translation>Hier &amp;testen</translation>
    </message>
    <message>
        <source>&amp;Train</source>
        <translation>&amp;Trainieren</translation>
    </message>
    <message>
        <source>&amp;Try again</source>
        <translation>&amp;Erneut versuchen</translation>
    </message>
    <message>
        <source>&amp;Tutorial</source>
        <translation>&amp;Tutorial</translation>
    </message>
    <message>
        <source>&amp;Use it</source>
        <translation>&amp;Verwenden</translation>
    </message>
    <message>
        <source>&amp;Verify</source>
        <translation>&amp;Prüfen</translation>
    </message>
    <message>
        <source>&amp;Write the model to</source>
        <translation>&amp;Modell schreiben nach</translation>
    </message>
    <message>
        <source>&amp;Write the student to</source>
        <translation>Studenten s&amp;chreiben nach</translation>
    </message>
    <message>
        <source>, {count} as {other}</source>
        <translation>, {count} als {other}</translation>
    </message>
    <message>
        <source>&lt;h3&gt;Band table, scale, nodata&lt;/h3&gt;&lt;p&gt;Among the advanced parameters, for a raster that lost its metadata: the sensor (&lt;i&gt;enmap&lt;/i&gt;, or &lt;i&gt;enmap-202&lt;/i&gt; where the water vapour bands were removed) or a CSV with one row per band; the reflectance of a stored 1; the no-data value. Each replaces what the file says.&lt;/p&gt;</source>
        <translation>&lt;h3&gt;Kanaltabelle, Skalierung, Nodata&lt;/h3&gt;&lt;p&gt;Bei den erweiterten Parametern, für ein Raster, das seine Metadaten verloren hat: der Sensor (&lt;i&gt;enmap&lt;/i&gt;, oder &lt;i&gt;enmap-202&lt;/i&gt;, wo die Wasserdampfkanäle entfernt wurden) oder eine CSV mit einer Zeile je Kanal; der Reflexionsgrad einer gespeicherten 1; der Nodata-Wert. Jedes davon ersetzt, was die Datei sagt.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;h3&gt;Labels contain&lt;/h3&gt;&lt;p&gt;&lt;i&gt;classification&lt;/i&gt;: the class of each feature. &lt;i&gt;regression&lt;/i&gt;: one or several quantities.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;What to start from: &lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or a checkpoint (&lt;i&gt;.safetensors&lt;/i&gt;), or &lt;i&gt;scratch&lt;/i&gt;.&lt;/p&gt;&lt;h3&gt;Held out for the test&lt;/h3&gt;&lt;p&gt;What stays together: polygons, blocks of the scene, or whole scenes. With &lt;i&gt;random&lt;/i&gt;, test pixels lie in the same polygons as training pixels; the report then calls its scores too high.&lt;/p&gt;&lt;h3&gt;What is trained&lt;/h3&gt;&lt;p&gt;&lt;i&gt;auto&lt;/i&gt; keeps the encoder of a student as it is (&lt;i&gt;frozen&lt;/i&gt;), which is quick and needs few labels, and trains one from &lt;i&gt;scratch&lt;/i&gt; in &lt;i&gt;full&lt;/i&gt;.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The &lt;i&gt;.onnx&lt;/i&gt; file to write; its checkpoint is written beside it. The colours of the classes are those of the layer's style, where it is categorised by the field.&lt;/p&gt;&lt;h3&gt;Report&lt;/h3&gt;&lt;p&gt;A folder with &lt;i&gt;report.html&lt;/i&gt;: accuracies with intervals, the confusion matrix, and what classical models reach on the same labels.&lt;/p&gt;</source>
        <translation>&lt;h3&gt;Label enthalten&lt;/h3&gt;&lt;p&gt;&lt;i&gt;classification&lt;/i&gt;: die Klasse jedes Objekts. &lt;i&gt;regression&lt;/i&gt;: eine oder mehrere Größen.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;Womit begonnen wird: &lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder ein Checkpoint (&lt;i&gt;.safetensors&lt;/i&gt;), oder &lt;i&gt;scratch&lt;/i&gt; (nichts vorher gelernt).&lt;/p&gt;&lt;h3&gt;Für den Test zurückgehalten&lt;/h3&gt;&lt;p&gt;Was zusammenbleibt: Polygone, Blöcke der Szene oder ganze Szenen. Mit &lt;i&gt;random&lt;/i&gt; liegen Testpixel in denselben Polygonen wie Trainingspixel; der Bericht nennt seine Werte dann zu hoch.&lt;/p&gt;&lt;h3&gt;Was trainiert wird&lt;/h3&gt;&lt;p&gt;&lt;i&gt;auto&lt;/i&gt; lässt den Encoder eines Studenten, wie er ist (&lt;i&gt;frozen&lt;/i&gt;), was schnell ist und wenige Label braucht, und trainiert einen aus &lt;i&gt;scratch&lt;/i&gt; ganz (&lt;i&gt;full&lt;/i&gt;).&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Die &lt;i&gt;.onnx&lt;/i&gt;-Datei, die geschrieben wird; ihr Checkpoint entsteht daneben. Die Farben der Klassen sind die der Darstellung des Layers, wo sie nach dem Feld kategorisiert ist.&lt;/p&gt;&lt;h3&gt;Bericht&lt;/h3&gt;&lt;p&gt;Ein Ordner mit &lt;i&gt;report.html&lt;/i&gt;: Genauigkeiten mit Intervallen, die Konfusionsmatrix, und was klassische Modelle mit denselben Labeln erreichen.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;h3&gt;Labels&lt;/h3&gt;&lt;p&gt;A layer of polygons, lines or points. Tick &lt;i&gt;Selected features only&lt;/i&gt; to use a part of it; layers that exist in QGIS only, and edits that are not saved yet, count too. A pixel belongs to a polygon when its centre does. Instead of features, or besides them, class rasters can be given among the advanced parameters.&lt;/p&gt;&lt;h3&gt;Field of the labels&lt;/h3&gt;&lt;p&gt;The class of each feature, or for a regression one numeric field per target.&lt;/p&gt;</source>
        <translation>&lt;h3&gt;Label&lt;/h3&gt;&lt;p&gt;Ein Layer aus Polygonen, Linien oder Punkten. Kreuzen Sie &lt;i&gt;Nur gewählte Objekte&lt;/i&gt; an, um einen Teil davon zu verwenden; auch Layer, die es nur in QGIS gibt, und noch nicht gespeicherte Änderungen zählen. Ein Pixel gehört zu einem Polygon, wenn seine Mitte darin liegt. Statt der Objekte, oder zusätzlich, können bei den erweiterten Parametern Klassenraster angegeben werden.&lt;/p&gt;&lt;h3&gt;Feld der Label&lt;/h3&gt;&lt;p&gt;Die Klasse jedes Objekts, oder für eine Regression ein Zahlenfeld je Zielgröße.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;h3&gt;Strata&lt;/h3&gt;&lt;p&gt;Among the advanced parameters. Where the labels were drawn at random in the classes of a map, give that map: accuracies and areas of the whole map are estimated, with intervals.&lt;/p&gt;&lt;h3&gt;Report&lt;/h3&gt;&lt;p&gt;A folder with &lt;i&gt;report.html&lt;/i&gt; and &lt;i&gt;report.json&lt;/i&gt;. After the run the page is under &lt;i&gt;Processing › Results Viewer&lt;/i&gt;.&lt;/p&gt;</source>
        <translation>&lt;h3&gt;Schichten&lt;/h3&gt;&lt;p&gt;Bei den erweiterten Parametern. Wenn die Label zufällig in den Klassen einer Karte gezogen wurden, geben Sie diese Karte an: Genauigkeiten und Flächen der ganzen Karte werden geschätzt, mit Intervallen.&lt;/p&gt;&lt;h3&gt;Bericht&lt;/h3&gt;&lt;p&gt;Ein Ordner mit &lt;i&gt;report.html&lt;/i&gt; und &lt;i&gt;report.json&lt;/i&gt;. Nach dem Lauf liegt die Seite unter &lt;i&gt;Verarbeitung › Ergebnisanzeige&lt;/i&gt;.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;A student predicts every place of the scene from its surroundings. Where the error is larger than usual in this scene, the place is unusual: another material, a faulty pixel, a sharp edge.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Error&lt;/h3&gt;&lt;p&gt;&lt;i&gt;rmse&lt;/i&gt; in reflectance, or the spectral &lt;i&gt;angle&lt;/i&gt;, which ignores brightness but is mostly noise over water and in shadow.&lt;/p&gt;&lt;h3&gt;Threshold&lt;/h3&gt;&lt;p&gt;How many robust standard deviations above the median of the scene an anomaly lies; 3.5 is usual. The run tells which error that is and how many pixels are beyond it.&lt;/p&gt;&lt;h3&gt;Anomaly score&lt;/h3&gt;&lt;p&gt;Band 1 the score, band 2 the error. The colours end at a score of 7 in every scene, so that maps compare.&lt;/p&gt;&lt;h3&gt;Anomalies&lt;/h3&gt;&lt;p&gt;A map of 1 (as expected) and 2 (anomaly); not written unless you ask.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Ein Student sagt jede Stelle der Szene aus ihrer Umgebung voraus. Wo der Fehler größer ist als in dieser Szene üblich, ist die Stelle ungewöhnlich: ein anderes Material, ein fehlerhaftes Pixel, eine scharfe Kante.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Fehler&lt;/h3&gt;&lt;p&gt;&lt;i&gt;rmse&lt;/i&gt; als Reflexionsgrad, oder der spektrale Winkel (&lt;i&gt;angle&lt;/i&gt;), der die Helligkeit nicht beachtet, aber über Wasser und im Schatten meist Rauschen ist.&lt;/p&gt;&lt;h3&gt;Schwelle&lt;/h3&gt;&lt;p&gt;Wie viele robuste Standardabweichungen über dem Median der Szene eine Anomalie liegt; üblich sind 3,5. Der Lauf sagt, welcher Fehler das ist und wie viele Pixel darüber liegen.&lt;/p&gt;&lt;h3&gt;Anomaliewert&lt;/h3&gt;&lt;p&gt;Kanal 1 der Wert, Kanal 2 der Fehler. Die Farben enden in jeder Szene beim Wert 7, damit Karten vergleichbar sind.&lt;/p&gt;&lt;h3&gt;Anomalien&lt;/h3&gt;&lt;p&gt;Eine Karte aus 1 (wie erwartet) und 2 (Anomalie); nur auf Wunsch geschrieben.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Fills what single bands of a scene lack. A missing value is predicted from the other bands of its pixel, by what the scene itself teaches, and from its neighbours. A band that is missing everywhere lies on a line between the bands beside it. Every value that is there stays exactly as it is.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance. Filled are values without data in single bands, and bands that are flagged as bad. Pixels that lack more than a quarter of their bands stay as they are.&lt;/p&gt;&lt;h3&gt;Find stripes&lt;/h3&gt;&lt;p&gt;Also fills columns of single bands that hold one number only, or that are clearly off. For scenes in sensor geometry; the run tells which columns of which bands were found.&lt;/p&gt;&lt;h3&gt;Fill bands in water vapour&lt;/h3&gt;&lt;p&gt;Bad bands from 1330 to 1490 nm and from 1780 to 1990 nm are left out otherwise: nothing was measured there, and a line says nothing about it.&lt;/p&gt;&lt;h3&gt;Restored scene&lt;/h3&gt;&lt;p&gt;A GeoTIFF in the type, scale and grid of the raster, shown in true colour. Restored bands are flagged as good; an item of the file names them.&lt;/p&gt;&lt;h3&gt;Filled values&lt;/h3&gt;&lt;p&gt;A raster of as many bands: 1 where a value was filled, 0 where it is as measured; not written unless you ask.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Füllt, was einzelnen Kanälen einer Szene fehlt. Ein fehlender Wert wird aus den übrigen Kanälen seines Pixels vorhergesagt, nach dem, was die Szene selbst lehrt, und aus seinen Nachbarn. Ein Kanal, der überall fehlt, liegt auf einer Geraden zwischen den Kanälen daneben. Jeder vorhandene Wert bleibt genau, wie er ist.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade. Gefüllt werden Werte ohne Daten in einzelnen Kanälen und Kanäle, die als schlecht markiert sind. Pixel, denen mehr als ein Viertel der Kanäle fehlt, bleiben, wie sie sind.&lt;/p&gt;&lt;h3&gt;Streifen suchen&lt;/h3&gt;&lt;p&gt;Füllt auch Spalten einzelner Kanäle, die nur eine Zahl enthalten oder deutlich danebenliegen. Für Szenen in Sensorgeometrie; der Lauf nennt die gefundenen Spalten und Kanäle.&lt;/p&gt;&lt;h3&gt;Kanäle im Wasserdampf füllen&lt;/h3&gt;&lt;p&gt;Schlechte Kanäle von 1330 bis 1490 nm und von 1780 bis 1990 nm bleiben sonst unverändert: dort wurde nichts gemessen, und eine Gerade sagt darüber nichts.&lt;/p&gt;&lt;h3&gt;Ausgebesserte Szene&lt;/h3&gt;&lt;p&gt;Ein GeoTIFF mit Datentyp, Skalierung und Gitter des Rasters, in Echtfarben dargestellt. Ausgebesserte Kanäle sind als gut markiert; ein Eintrag der Datei nennt sie.&lt;/p&gt;&lt;h3&gt;Gefüllte Werte&lt;/h3&gt;&lt;p&gt;Ein Raster mit ebenso vielen Kanälen: 1, wo ein Wert gefüllt wurde, 0, wo er der gemessene ist; wird nur auf Wunsch geschrieben.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Finds a material by its spectrum. Each pixel is compared with the target against the background of the scene, its mean and covariance; no model and no training are needed.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance.&lt;/p&gt;&lt;h3&gt;Spectral library with the target&lt;/h3&gt;&lt;p&gt;ENVI (.sli), CSV or other text, ASD, SVC (.sig), USGS, ECOSTRESS, or a library of the EnMAP-Box (GeoPackage, GeoJSON). The spectrum is resampled to the bands of the scene.&lt;/p&gt;&lt;h3&gt;Name of the target in the library&lt;/h3&gt;&lt;p&gt;Needed where the library has several spectra; #3 is the third one.&lt;/p&gt;&lt;h3&gt;Target marked in the scene&lt;/h3&gt;&lt;p&gt;Instead of a library: points or polygons on the target. Their mean is the target; they do not count as background.&lt;/p&gt;&lt;h3&gt;Detector&lt;/h3&gt;&lt;p&gt;&lt;i&gt;ace&lt;/i&gt;: adaptive cosine estimator, which ignores brightness. &lt;i&gt;mf&lt;/i&gt;: matched filter; &lt;i&gt;cem&lt;/i&gt;: constrained energy minimisation; both estimate the fraction of the target in the pixel. &lt;i&gt;sam&lt;/i&gt;: spectral angle in degrees, where small is similar.&lt;/p&gt;&lt;h3&gt;False-alarm rate&lt;/h3&gt;&lt;p&gt;Fraction of the background that may be detected by mistake. The threshold is the score that this fraction of the scene's pixels exceeds; where the target covers more of the scene, choose a larger one.&lt;/p&gt;&lt;h3&gt;Detection score&lt;/h3&gt;&lt;p&gt;How much each pixel resembles the target, shown from its low to its high values.&lt;/p&gt;&lt;h3&gt;Detections&lt;/h3&gt;&lt;p&gt;A map of 1 (background) and 2 (target).&lt;/p&gt;</source>
        <translation>&lt;p&gt;Findet ein Material anhand seines Spektrums. Jedes Pixel wird vor dem Hintergrund der Szene, ihrem Mittelwert und ihrer Kovarianz, mit dem Ziel verglichen; weder Modell noch Training sind nötig.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade.&lt;/p&gt;&lt;h3&gt;Spektralbibliothek mit dem Ziel&lt;/h3&gt;&lt;p&gt;ENVI (.sli), CSV oder anderer Text, ASD, SVC (.sig), USGS, ECOSTRESS oder eine Bibliothek der EnMAP-Box (GeoPackage, GeoJSON). Das Spektrum wird auf die Kanäle der Szene umgerechnet.&lt;/p&gt;&lt;h3&gt;Name des Zielspektrums in der Bibliothek&lt;/h3&gt;&lt;p&gt;Nötig, wenn die Bibliothek mehrere Spektren enthält; #3 ist das dritte.&lt;/p&gt;&lt;h3&gt;In der Szene markiertes Ziel&lt;/h3&gt;&lt;p&gt;Anstelle einer Bibliothek: Punkte oder Polygone auf dem Zielmaterial. Ihr Mittelwert ist das Ziel; zum Hintergrund zählen sie nicht.&lt;/p&gt;&lt;h3&gt;Detektor&lt;/h3&gt;&lt;p&gt;&lt;i&gt;ace&lt;/i&gt;: Adaptive Cosine Estimator, der die Helligkeit nicht beachtet. &lt;i&gt;mf&lt;/i&gt;: Matched Filter; &lt;i&gt;cem&lt;/i&gt;: Constrained Energy Minimisation; beide schätzen den Anteil des Ziels am Pixel. &lt;i&gt;sam&lt;/i&gt;: Spektralwinkel in Grad, klein bedeutet ähnlich.&lt;/p&gt;&lt;h3&gt;Falschalarmrate&lt;/h3&gt;&lt;p&gt;Anteil des Hintergrunds, der irrtümlich detektiert werden darf. Die Schwelle ist der Wert, den dieser Anteil der Pixel der Szene überschreitet; bedeckt das Ziel einen größeren Teil der Szene, wählen Sie eine größere Rate.&lt;/p&gt;&lt;h3&gt;Detektionswert&lt;/h3&gt;&lt;p&gt;Wie sehr jedes Pixel dem Ziel gleicht, dargestellt von seinen niedrigen bis zu seinen hohen Werten.&lt;/p&gt;&lt;h3&gt;Detektionen&lt;/h3&gt;&lt;p&gt;Eine Karte mit 1 (Hintergrund) und 2 (Ziel).&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Groups the pixels of a scene by k-means on a student's embedding: a first look at what is there, and at what a classification could tell apart.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Clusters&lt;/h3&gt;&lt;p&gt;How many. They are numbered by their size. Ask for more than you expect and merge them afterwards.&lt;/p&gt;&lt;h3&gt;Cluster map&lt;/h3&gt;&lt;p&gt;A GeoTIFF of bytes with names and colours; 0 is no data.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Gruppiert die Pixel einer Szene mit k-Means über der Einbettung eines Studenten: ein erster Blick darauf, was es gibt und was eine Klassifikation trennen könnte.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Cluster&lt;/h3&gt;&lt;p&gt;Wie viele. Sie sind nach ihrer Größe nummeriert. Verlangen Sie mehr als Sie erwarten, und fassen Sie sie danach zusammen.&lt;/p&gt;&lt;h3&gt;Clusterkarte&lt;/h3&gt;&lt;p&gt;Ein GeoTIFF aus Bytes mit Namen und Farben; 0 ist keine Daten.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Hides every part of a hyperspectral scene in turn, lets a HyperKD student predict it from its surroundings, and compares. A large error marks what the surroundings do not explain: unusual materials, edges, or faulty pixels.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Reconstruction error&lt;/h3&gt;&lt;p&gt;The map shows the root mean square error in reflectance (band 2), from its 2nd to its 98th percentile; bright means unlike its surroundings. Band 1 is the spectral angle in degrees, which ignores brightness and is therefore large over water and shadow.&lt;/p&gt;&lt;h3&gt;Reconstruction&lt;/h3&gt;&lt;p&gt;The predicted reflectance times 10000 in the student's bands, shown in true colour. Ask for it where you want to look at spectra; it is as large as the scene.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Verdeckt nacheinander jeden Teil einer hyperspektralen Szene, lässt ihn einen HyperKD-Studenten aus der Umgebung vorhersagen und vergleicht. Ein großer Fehler markiert, was die Umgebung nicht erklärt: ungewöhnliche Materialien, Kanten, fehlerhafte Pixel.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Rekonstruktionsfehler&lt;/h3&gt;&lt;p&gt;Die Karte zeigt die Wurzel des mittleren quadratischen Fehlers (RMSE) als Reflexionsgrad (Kanal 2), vom 2. bis zum 98. Perzentil; hell heißt anders als die Umgebung. Kanal 1 ist der spektrale Winkel in Grad, der die Helligkeit nicht beachtet und deshalb über Wasser und Schatten groß ist.&lt;/p&gt;&lt;h3&gt;Rekonstruktion&lt;/h3&gt;&lt;p&gt;Der vorhergesagte Reflexionsgrad mal 10000 in den Kanälen des Studenten, in Echtfarben dargestellt. Verlangen Sie sie, wenn Sie Spektren ansehen wollen; sie ist so groß wie die Szene.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Makes a separate Python environment for HyperKD's engine, from QGIS's Python. QGIS and its packages stay as they are. It is made beside an older one and takes its place only when it is complete. With a window, &lt;i&gt;Plugins › HyperKD › Engine…&lt;/i&gt; does the same.&lt;/p&gt;&lt;h3&gt;Fine-tuning and distillation&lt;/h3&gt;&lt;p&gt;Also installs PyTorch, which is large. Running models does not need it.&lt;/p&gt;&lt;h3&gt;Computes on&lt;/h3&gt;&lt;p&gt;&lt;i&gt;cpu&lt;/i&gt; works everywhere; &lt;i&gt;gpu&lt;/i&gt; is for an NVIDIA GPU and downloads some gigabytes.&lt;/p&gt;&lt;h3&gt;Folder of wheels&lt;/h3&gt;&lt;p&gt;For a machine without a network: every package is taken from this folder, and nothing else is asked. Without it, packages come from the package index, through the proxy and with the certificates that QGIS is set to.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Macht für HyperKDs Engine eine eigene Python-Umgebung aus dem Python von QGIS. QGIS und seine Pakete bleiben, wie sie sind. Sie entsteht neben einer älteren und tritt erst an deren Stelle, wenn sie vollständig ist. Mit Fenster tut &lt;i&gt;Erweiterungen › HyperKD › Engine…&lt;/i&gt; dasselbe.&lt;/p&gt;&lt;h3&gt;Feinabstimmung und Destillation&lt;/h3&gt;&lt;p&gt;Installiert auch PyTorch, das groß ist. Um Modelle anzuwenden, ist es nicht nötig.&lt;/p&gt;&lt;h3&gt;Rechnet auf&lt;/h3&gt;&lt;p&gt;&lt;i&gt;cpu&lt;/i&gt; geht überall; &lt;i&gt;gpu&lt;/i&gt; ist für eine NVIDIA-GPU und lädt einige Gigabyte herunter.&lt;/p&gt;&lt;h3&gt;Ordner mit Wheels&lt;/h3&gt;&lt;p&gt;Für eine Maschine ohne Netz: jedes Paket kommt aus diesem Ordner, und sonst wird nichts gefragt. Ohne ihn kommen die Pakete vom Paketindex, über den Proxy und mit den Zertifikaten, auf die QGIS eingestellt ist.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Makes the six bands of the Harmonized Landsat and Sentinel-2 data set from a hyperspectral raster: blue, green, red, near infrared and two of short-wave infrared. These are the input of the foundation model Prithvi, the teacher of the students.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) that cover 450 to 2290 nm.&lt;/p&gt;&lt;h3&gt;Resampling method&lt;/h3&gt;&lt;p&gt;&lt;i&gt;range_mean&lt;/i&gt;: the mean of all good bands in its range, as in the training of the students. &lt;i&gt;srf_gaussian&lt;/i&gt;: weighted by a bell-shaped response. &lt;i&gt;nearest&lt;/i&gt;: the one band nearest to its centre.&lt;/p&gt;&lt;h3&gt;HLS bands&lt;/h3&gt;&lt;p&gt;Reflectance times 10000 in a GeoTIFF with the grid of the input, shown in true colour. A pixel that lacks a band that is needed has no data.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Macht aus einem hyperspektralen Raster die sechs Kanäle des Datensatzes Harmonized Landsat and Sentinel-2: Blau, Grün, Rot, nahes Infrarot und zwei im kurzwelligen Infrarot. Sie sind die Eingabe des Grundlagenmodells Prithvi, des Lehrers der Studenten.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm), die 450 bis 2290 nm abdecken.&lt;/p&gt;&lt;h3&gt;Verfahren der Umrechnung&lt;/h3&gt;&lt;p&gt;&lt;i&gt;range_mean&lt;/i&gt;: das Mittel aller guten Kanäle im Bereich, wie im Training der Studenten. &lt;i&gt;srf_gaussian&lt;/i&gt;: mit glockenförmiger Empfindlichkeit gewichtet. &lt;i&gt;nearest&lt;/i&gt;: der eine Kanal, der der Mitte am nächsten liegt.&lt;/p&gt;&lt;h3&gt;HLS-Kanäle&lt;/h3&gt;&lt;p&gt;Reflexionsgrad mal 10000 als GeoTIFF im Gitter der Eingabe, in Echtfarben dargestellt. Ein Pixel, dem ein nötiger Kanal fehlt, hat keine Daten.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Maps the fractions of built surfaces, bare soil, herbaceous plants, trees, dry vegetation, water, snow and cloud in each pixel. No label is needed. &lt;i&gt;First look&lt;/i&gt; in the toolbar does the same for the active layer, without a dialog.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Surface reflectance with band wavelengths (nm or µm) and a known scale. Up to half of the model's bands may be missing.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;&lt;i&gt;cover&lt;/i&gt; comes with the plugin; or choose another model for fractions of covers.&lt;/p&gt;&lt;h3&gt;Dominant cover&lt;/h3&gt;&lt;p&gt;The cover with the largest fraction, as a class map; 0 is no data.&lt;/p&gt;&lt;h3&gt;Fractions as colours&lt;/h3&gt;&lt;p&gt;Red: built, bare soil and dry vegetation. Green: herbaceous and trees. Blue: water, snow and cloud. Mixed pixels have mixed colours.&lt;/p&gt;&lt;h3&gt;Uncertainty&lt;/h3&gt;&lt;p&gt;The standard error of the largest fraction, as learnt from simulated spectra. The log says where much of the scene is unlike what the model knows.&lt;/p&gt;&lt;h3&gt;Fractions&lt;/h3&gt;&lt;p&gt;One band per cover, from 0 to 1; they sum to 1.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Kartiert in jedem Pixel die Anteile von bebauten Flächen, offenem Boden, krautigen Pflanzen, Bäumen, trockener Vegetation, Wasser, Schnee und Wolken. Label sind nicht nötig. &lt;i&gt;Erster Blick&lt;/i&gt; in der Werkzeugleiste macht dasselbe für den aktiven Layer, ohne Dialog.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Reflexionsgrad der Oberfläche mit Wellenlängen der Kanäle (nm oder µm) und bekannter Skalierung. Bis zur Hälfte der Kanäle des Modells darf fehlen.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;&lt;i&gt;cover&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie ein anderes Modell für Anteile von Bedeckungen.&lt;/p&gt;&lt;h3&gt;Vorherrschende Bedeckung&lt;/h3&gt;&lt;p&gt;Die Bedeckung mit dem größten Anteil, als Klassenkarte; 0 ist Nodata.&lt;/p&gt;&lt;h3&gt;Anteile als Farben&lt;/h3&gt;&lt;p&gt;Rot: bebaut, offener Boden und trockene Vegetation. Grün: krautig und Bäume. Blau: Wasser, Schnee und Wolken. Gemischte Pixel haben gemischte Farben.&lt;/p&gt;&lt;h3&gt;Unsicherheit&lt;/h3&gt;&lt;p&gt;Der Standardfehler des größten Anteils, gelernt an simulierten Spektren. Das Protokoll sagt, wo ein großer Teil der Szene anders ist, als was das Modell kennt.&lt;/p&gt;&lt;h3&gt;Anteile&lt;/h3&gt;&lt;p&gt;Ein Kanal je Bedeckung, von 0 bis 1; ihre Summe ist 1.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Mark a few places of what you look for; the map shows where the scene is similar, by a student's embedding. No classes and no training are needed.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance.&lt;/p&gt;&lt;h3&gt;Places&lt;/h3&gt;&lt;p&gt;Points, lines or polygons; several kinds of places may be marked at once. Tick &lt;i&gt;Selected features only&lt;/i&gt; to use a part of the layer.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Similarity&lt;/h3&gt;&lt;p&gt;1 is identical, 0 has nothing in common. Each pixel is compared with the most similar marked place. With three or more features the run suggests a threshold: nine in ten of the marked pixels are at least that similar to another feature.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Markieren Sie einige Stellen dessen, was Sie suchen; die Karte zeigt, wo die Szene ihnen nach der Einbettung eines Studenten ähnlich ist. Weder Klassen noch Training sind nötig.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade.&lt;/p&gt;&lt;h3&gt;Stellen&lt;/h3&gt;&lt;p&gt;Punkte, Linien oder Polygone; mehrere Arten von Stellen dürfen zugleich markiert sein. Kreuzen Sie &lt;i&gt;Nur gewählte Objekte&lt;/i&gt; an, um einen Teil des Layers zu verwenden.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Ähnlichkeit&lt;/h3&gt;&lt;p&gt;1 ist gleich, 0 hat nichts gemein. Es zählt die ähnlichste aller markierten Stellen. Ab drei Objekten schlägt der Lauf eine Schwelle vor: neun von zehn markierten Pixeln sind einem anderen Objekt mindestens so ähnlich.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Runs a HyperKD student over a hyperspectral scene and writes, for each pixel, its embedding: learned features of the pixel and its surroundings. Similar surfaces get similar values: use the result for clustering, for finding similar places, or as input of a classifier.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm). EnMAP needs no preparation; other sensors are resampled to the student's bands on the fly.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Components&lt;/h3&gt;&lt;p&gt;The embedding is reduced to this many principal components of this scene, ordered by how much they explain. 0 writes the embedding itself, which compares between scenes.&lt;/p&gt;&lt;h3&gt;Embedding&lt;/h3&gt;&lt;p&gt;A GeoTIFF with the grid of the input and no data where the input has none, shown as a colour image of its first three bands.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Wendet einen HyperKD-Studenten auf eine hyperspektrale Szene an und schreibt für jedes Pixel die Einbettung: gelernte Merkmale des Pixels und seiner Umgebung. Ähnliche Oberflächen bekommen ähnliche Werte: zum Clustern, um ähnliche Stellen zu finden, oder als Eingabe einer Klassifikation.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm). EnMAP braucht keine Vorbereitung; andere Sensoren werden im Lauf in die Kanäle des Studenten umgerechnet.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Komponenten&lt;/h3&gt;&lt;p&gt;Die Einbettung wird auf so viele Hauptkomponenten dieser Szene verringert, nach ihrem Erklärungswert geordnet. 0 schreibt die Einbettung selbst, die zwischen Szenen vergleichbar ist.&lt;/p&gt;&lt;h3&gt;Einbettung&lt;/h3&gt;&lt;p&gt;Ein GeoTIFF im Gitter der Eingabe und ohne Daten, wo die Eingabe keine hat, als Farbbild seiner ersten drei Kanäle dargestellt.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Runs a fine-tuned model on the labelled pixels exactly as its map would be made, and writes a report: accuracies with confidence intervals, the confusion matrix, calibration, the spectra of each class, and what classical models reach. Labels that the model was trained on are reported separately where the model knows them.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The name of a model of the store, or an &lt;i&gt;.onnx&lt;/i&gt; file.&lt;/p&gt;&lt;h3&gt;Hyperspectral rasters&lt;/h3&gt;&lt;p&gt;The scenes that the labels lie on.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Wendet ein feinabgestimmtes Modell auf die Pixel mit Label an, genau so, wie seine Karte entstünde, und schreibt einen Bericht: Genauigkeiten mit Konfidenzintervallen, die Konfusionsmatrix, Kalibrierung, die Spektren jeder Klasse, und was klassische Modelle erreichen. Label, mit denen das Modell trainiert wurde, werden getrennt berichtet, wo das Modell sie kennt.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Der Name eines Modells der Sammlung oder eine &lt;i&gt;.onnx&lt;/i&gt;-Datei.&lt;/p&gt;&lt;h3&gt;Hyperspektrale Raster&lt;/h3&gt;&lt;p&gt;Die Szenen, auf denen die Label liegen.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Runs a model that was fine-tuned for classification over a hyperspectral scene.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance. Other sensors than the model's are resampled on the fly; one that covers too little of its spectrum is refused.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The name of a model of the store (&lt;i&gt;Plugins › HyperKD › Models…&lt;/i&gt;), or an &lt;i&gt;.onnx&lt;/i&gt; file. &lt;i&gt;Fine-tune&lt;/i&gt; makes one from your labels.&lt;/p&gt;&lt;h3&gt;Class map&lt;/h3&gt;&lt;p&gt;A GeoTIFF of bytes with the names and colours of the classes; 0 is no data.&lt;/p&gt;&lt;h3&gt;Probabilities&lt;/h3&gt;&lt;p&gt;One band per class. They are calibrated where the fine-tuning had labels to calibrate with.&lt;/p&gt;&lt;h3&gt;Uncertainty&lt;/h3&gt;&lt;p&gt;Band 1 is the margin between the two most probable classes (0 is a tie), band 2 the entropy of all (0 is certain). Look there before you trust a border.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Wendet ein für Klassifikation feinabgestimmtes Modell auf eine hyperspektrale Szene an.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade. Andere Sensoren als der des Modells werden im Lauf umgerechnet; einer, der zu wenig von dessen Spektrum abdeckt, wird abgelehnt.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Der Name eines Modells der Sammlung (&lt;i&gt;Erweiterungen › HyperKD › Modelle…&lt;/i&gt;) oder eine &lt;i&gt;.onnx&lt;/i&gt;-Datei. &lt;i&gt;Modell feinabstimmen&lt;/i&gt; macht eines aus Ihren Labeln.&lt;/p&gt;&lt;h3&gt;Klassenkarte&lt;/h3&gt;&lt;p&gt;Ein GeoTIFF aus Bytes mit Namen und Farben der Klassen; 0 ist keine Daten.&lt;/p&gt;&lt;h3&gt;Wahrscheinlichkeiten&lt;/h3&gt;&lt;p&gt;Ein Kanal je Klasse. Sie sind kalibriert, wo die Feinabstimmung Label dafür hatte.&lt;/p&gt;&lt;h3&gt;Unsicherheit&lt;/h3&gt;&lt;p&gt;Kanal 1 ist der Abstand zwischen den beiden wahrscheinlichsten Klassen (0 ist unentschieden), Kanal 2 die Entropie aller (0 ist sicher). Sehen Sie dort nach, bevor Sie einer Grenze trauen.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Runs a model that was fine-tuned for regression over a hyperspectral scene: cover fractions, plant traits, or any other quantity of its labels.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm) and a known scale to reflectance. Other sensors than the model's are resampled on the fly; one that covers too little of its spectrum is refused.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The name of a model of the store (&lt;i&gt;Plugins › HyperKD › Models…&lt;/i&gt;), or an &lt;i&gt;.onnx&lt;/i&gt; file. &lt;i&gt;Fine-tune&lt;/i&gt; makes one from your labels.&lt;/p&gt;&lt;h3&gt;Map of values&lt;/h3&gt;&lt;p&gt;One band of float32 per target, in its unit. The run reports the fraction of pixels beyond the range of the training labels, where no model is reliable.&lt;/p&gt;&lt;h3&gt;Uncertainty&lt;/h3&gt;&lt;p&gt;One band per target: its standard error, where the model knows it.&lt;/p&gt;&lt;h3&gt;Dominant cover&lt;/h3&gt;&lt;p&gt;The cover with the largest fraction, where the model gives fractions of covers.&lt;/p&gt;&lt;h3&gt;Applicability&lt;/h3&gt;&lt;p&gt;How like a pixel is to what the model learned from, from 0 to 1, where the model knows it. Below 0.5 do not rely on its values: the surface may be none that it knows, or the raster no surface reflectance.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Wendet ein für Regression feinabgestimmtes Modell auf eine hyperspektrale Szene an: Bedeckungsanteile, Pflanzenmerkmale oder andere Größen seiner Label.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm) und bekannter Umrechnung in Reflexionsgrade. Andere Sensoren als der des Modells werden im Lauf umgerechnet; einer, der zu wenig von dessen Spektrum abdeckt, wird abgelehnt.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Der Name eines Modells der Sammlung (&lt;i&gt;Erweiterungen › HyperKD › Modelle…&lt;/i&gt;) oder eine &lt;i&gt;.onnx&lt;/i&gt;-Datei. &lt;i&gt;Modell feinabstimmen&lt;/i&gt; macht eines aus Ihren Labeln.&lt;/p&gt;&lt;h3&gt;Wertekarte&lt;/h3&gt;&lt;p&gt;Ein Kanal aus float32 je Zielgröße, in deren Einheit. Der Lauf sagt, welcher Anteil der Pixel außerhalb des Bereichs der Trainingslabel liegt: dort ist kein Modell verlässlich.&lt;/p&gt;&lt;h3&gt;Unsicherheit&lt;/h3&gt;&lt;p&gt;Ein Kanal je Zielgröße: deren Standardfehler, wo das Modell ihn kennt.&lt;/p&gt;&lt;h3&gt;Vorherrschende Bedeckung&lt;/h3&gt;&lt;p&gt;Die Bedeckung mit dem größten Anteil, wo das Modell Anteile von Bedeckungen angibt.&lt;/p&gt;&lt;h3&gt;Anwendbarkeit&lt;/h3&gt;&lt;p&gt;Wie ähnlich ein Pixel dem ist, woraus das Modell gelernt hat, von 0 bis 1, wo das Modell es kennt. Unter 0,5 verlassen Sie sich nicht auf seine Werte: die Oberfläche ist vielleicht keine, die es kennt, oder das Raster enthält keine Reflexionsgrade am Boden.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Shows the card of a model: task, bands, classes with their colours, metrics with their protocol, training, licence. Needs no engine.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The name of a shipped or stored model, an &lt;i&gt;.onnx&lt;/i&gt; file, or a &lt;i&gt;.safetensors&lt;/i&gt; checkpoint.&lt;/p&gt;&lt;h3&gt;Card&lt;/h3&gt;&lt;p&gt;The HTML file to write. After the run it is under &lt;i&gt;Processing › Results Viewer&lt;/i&gt;.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Zeigt den Steckbrief eines Modells: Aufgabe, Kanäle, Klassen mit ihren Farben, Kennzahlen mit ihrem Verfahren, Training, Lizenz. Braucht keine Engine.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Der Name eines mitgelieferten oder gesammelten Modells, eine &lt;i&gt;.onnx&lt;/i&gt;-Datei oder ein &lt;i&gt;.safetensors&lt;/i&gt;-Checkpoint.&lt;/p&gt;&lt;h3&gt;Steckbrief&lt;/h3&gt;&lt;p&gt;Die HTML-Datei, die geschrieben wird. Nach dem Lauf liegt sie unter &lt;i&gt;Verarbeitung › Ergebnisanzeige&lt;/i&gt;.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Stores a model with fewer bits and compares it with the original on scenes that you choose. A model that loses more than you accept is not written.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;A student or a fine-tuned model: its name, or an &lt;i&gt;.onnx&lt;/i&gt; file.&lt;/p&gt;&lt;h3&gt;Rasters for the comparison&lt;/h3&gt;&lt;p&gt;Scenes like those that the model will map.&lt;/p&gt;&lt;h3&gt;Method&lt;/h3&gt;&lt;p&gt;&lt;i&gt;dynamic&lt;/i&gt;: int8, for a CPU; usually the best choice. &lt;i&gt;static&lt;/i&gt;: int8 with ranges from the calibration rasters among the advanced parameters. &lt;i&gt;float16&lt;/i&gt;: half the size, for GPUs.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Speichert ein Modell mit weniger Bits und vergleicht es auf Szenen, die Sie wählen, mit dem Original. Ein Modell, das mehr verliert als erlaubt, wird nicht geschrieben.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Ein Student oder ein feinabgestimmtes Modell: sein Name, oder eine &lt;i&gt;.onnx&lt;/i&gt;-Datei.&lt;/p&gt;&lt;h3&gt;Raster für den Vergleich&lt;/h3&gt;&lt;p&gt;Szenen wie die, die das Modell kartieren wird.&lt;/p&gt;&lt;h3&gt;Verfahren&lt;/h3&gt;&lt;p&gt;&lt;i&gt;dynamic&lt;/i&gt;: int8, für eine CPU; meist die beste Wahl. &lt;i&gt;static&lt;/i&gt;: int8 mit Bereichen aus den Kalibrierungsrastern bei den erweiterten Parametern. &lt;i&gt;float16&lt;/i&gt;: halbe Größe, für GPUs.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Trains a student on hyperspectral scenes: parts are masked, and it learns to predict them (masked autoencoder). With a teacher it also learns the teacher's features of six broad bands. Training takes hours; tick &lt;i&gt;Resume an interrupted training&lt;/i&gt; to continue a cancelled one. Needs the packages for fine-tuning.&lt;/p&gt;&lt;h3&gt;Hyperspectral rasters&lt;/h3&gt;&lt;p&gt;The scenes to train on; no labels are needed. More scenes, and more diverse ones, are better.&lt;/p&gt;&lt;h3&gt;Teacher&lt;/h3&gt;&lt;p&gt;&lt;i&gt;none&lt;/i&gt;, the name of a teacher of the store (fetch one under &lt;i&gt;Plugins › HyperKD › Models…&lt;/i&gt;), or its file.&lt;/p&gt;&lt;h3&gt;Size of the student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; trains on a laptop; &lt;i&gt;small&lt;/i&gt; and &lt;i&gt;base&lt;/i&gt; need a GPU.&lt;/p&gt;&lt;h3&gt;Epochs&lt;/h3&gt;&lt;p&gt;More epochs take longer and improve the student up to a point. Left empty, the size of the student decides.&lt;/p&gt;&lt;h3&gt;Budget&lt;/h3&gt;&lt;p&gt;The training time at most; training then ends with the best student so far. Left empty, there is no limit.&lt;/p&gt;&lt;h3&gt;Checkpoint&lt;/h3&gt;&lt;p&gt;The &lt;i&gt;.safetensors&lt;/i&gt; file to write. The student as &lt;i&gt;.onnx&lt;/i&gt; and a report are written beside it.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Trainiert einen Studenten auf hyperspektralen Szenen: Teile werden maskiert, und er lernt, sie vorherzusagen (maskierter Autoencoder). Mit einem Lehrer lernt er auch dessen Merkmale aus sechs breiten Kanälen. Das Training dauert Stunden; kreuzen Sie &lt;i&gt;Unterbrochenes Training fortsetzen&lt;/i&gt; an, um ein abgebrochenes fortzusetzen. Braucht die Pakete zum Feinabstimmen.&lt;/p&gt;&lt;h3&gt;Hyperspektrale Raster&lt;/h3&gt;&lt;p&gt;Die Szenen, mit denen trainiert wird; Label sind nicht nötig. Mehr und verschiedenere sind besser.&lt;/p&gt;&lt;h3&gt;Lehrer&lt;/h3&gt;&lt;p&gt;&lt;i&gt;none&lt;/i&gt; (keiner), der Name eines Lehrers der Sammlung (zu holen unter &lt;i&gt;Erweiterungen › HyperKD › Modelle…&lt;/i&gt;) oder seine Datei.&lt;/p&gt;&lt;h3&gt;Größe des Studenten&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; lernt auf einem Laptop; &lt;i&gt;small&lt;/i&gt; und &lt;i&gt;base&lt;/i&gt; brauchen eine GPU.&lt;/p&gt;&lt;h3&gt;Epochen&lt;/h3&gt;&lt;p&gt;Mehr Epochen dauern länger und verbessern den Studenten bis zu einem Punkt. Leer: die Größe des Studenten entscheidet.&lt;/p&gt;&lt;h3&gt;Budget&lt;/h3&gt;&lt;p&gt;Die längste Trainingszeit; das Training endet dann mit dem bisher besten Studenten. Leer: ohne Grenze.&lt;/p&gt;&lt;h3&gt;Checkpoint&lt;/h3&gt;&lt;p&gt;Die &lt;i&gt;.safetensors&lt;/i&gt;-Datei, die geschrieben wird. Der Student als &lt;i&gt;.onnx&lt;/i&gt; und ein Bericht werden daneben geschrieben.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Trains a student on labels and writes a model that &lt;i&gt;Classify scene&lt;/i&gt; or &lt;i&gt;Map values&lt;/i&gt; runs. Some of the labels are held out to test it; they lie apart from the others, so that the scores estimate accuracy at other places. Needs the packages for fine-tuning.&lt;/p&gt;&lt;h3&gt;Hyperspectral rasters&lt;/h3&gt;&lt;p&gt;One scene or several; every label layer is tried on each of them.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Trainiert einen Studenten auf Labeln und schreibt ein Modell, mit dem &lt;i&gt;Szene klassifizieren&lt;/i&gt; oder &lt;i&gt;Werte kartieren&lt;/i&gt; arbeitet. Ein Teil der Label wird zurückgehalten, um es zu testen; sie liegen getrennt von den anderen, damit die Werte die Genauigkeit an anderen Stellen schätzen. Braucht die Pakete zum Feinabstimmen.&lt;/p&gt;&lt;h3&gt;Hyperspektrale Raster&lt;/h3&gt;&lt;p&gt;Eine Szene oder mehrere; jeder Label-Layer wird auf jeder von ihnen versucht.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Turns a checkpoint of a training into one ONNX file that every other algorithm runs, with a card that describes its input, output and accuracy, and with a self-test that any machine can repeat. Needs the packages for fine-tuning.&lt;/p&gt;&lt;h3&gt;Checkpoint&lt;/h3&gt;&lt;p&gt;The &lt;i&gt;.safetensors&lt;/i&gt; file that a distillation or a fine-tuning has written.&lt;/p&gt;&lt;h3&gt;Model&lt;/h3&gt;&lt;p&gt;The &lt;i&gt;.onnx&lt;/i&gt; file to write.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Macht aus dem Checkpoint eines Trainings eine ONNX-Datei, mit der jeder andere Algorithmus arbeitet, mit einem Steckbrief, der Eingabe, Ausgabe und Genauigkeit beschreibt, und mit einem Selbsttest, den jede Maschine wiederholen kann. Braucht die Pakete zum Feinabstimmen.&lt;/p&gt;&lt;h3&gt;Checkpoint&lt;/h3&gt;&lt;p&gt;Die &lt;i&gt;.safetensors&lt;/i&gt;-Datei, die eine Destillation oder Feinabstimmung geschrieben hat.&lt;/p&gt;&lt;h3&gt;Modell&lt;/h3&gt;&lt;p&gt;Die &lt;i&gt;.onnx&lt;/i&gt;-Datei, die geschrieben wird.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;With labels, which only a fine-tuned model can be given, the loss is one of accuracy; without them one of agreement with the original.&lt;/p&gt;&lt;h3&gt;Quantised model&lt;/h3&gt;&lt;p&gt;The &lt;i&gt;.onnx&lt;/i&gt; file to write. The run tells its size, what it loses, and how much faster it is here.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Mit Labeln, die nur einem feinabgestimmten Modell gegeben werden können, ist der Verlust einer an Genauigkeit; ohne sie einer an Übereinstimmung mit dem Original.&lt;/p&gt;&lt;h3&gt;Quantisiertes Modell&lt;/h3&gt;&lt;p&gt;Die &lt;i&gt;.onnx&lt;/i&gt;-Datei, die geschrieben wird. Der Lauf nennt ihre Größe, was sie verliert, und wie viel schneller sie hier ist.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Writes a delivered product as one GeoTIFF with its wavelengths, band widths, bad bands, gain and offset, so that every program reads it correctly. Stored values and the grid stay as they are.&lt;/p&gt;&lt;h3&gt;Product&lt;/h3&gt;&lt;p&gt;Choose the file, or write the path of the product's folder.&lt;br&gt;EnMAP L2A: the .tar.gz or .zip as downloaded, the folder or the …-METADATA.XML.&lt;br&gt;DESIS L2A: the .zip, the folder or the …-METADATA.xml.&lt;br&gt;PRISMA L2D: the .he5.&lt;br&gt;EMIT L2A: the .nc; its pixels are put on the map grid.&lt;br&gt;Tanager: the .h5 with surface reflectance, ortho or basic.&lt;br&gt;AVIRIS-3 and -5: the …_RFL_ORT.nc.&lt;/p&gt;&lt;p&gt;Any raster or netCDF file with wavelengths can be imported too.&lt;/p&gt;&lt;h3&gt;Pixels to leave out&lt;/h3&gt;&lt;p&gt;Clouds, their shadows, haze, snow, water and others, as far as the product's quality layers tell them; of EMIT these are in the EMIT_L2A_MASK file, which must lie beside. They become no data in all bands. What the product calls invalid has no data in any case.&lt;/p&gt;&lt;h3&gt;Imported scene&lt;/h3&gt;&lt;p&gt;The GeoTIFF, shown in true colour.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Schreibt ein geliefertes Produkt als ein GeoTIFF mit Wellenlängen, Bandbreiten, schlechten Kanälen, Faktoren und Versätzen, damit jedes Programm es richtig liest. Gespeicherte Werte und Gitter bleiben, wie sie sind.&lt;/p&gt;&lt;h3&gt;Produkt&lt;/h3&gt;&lt;p&gt;Wählen Sie die Datei, oder schreiben Sie den Pfad des Produktordners.&lt;br&gt;EnMAP L2A: die .tar.gz oder .zip, wie heruntergeladen, der Ordner oder die …-METADATA.XML.&lt;br&gt;DESIS L2A: die .zip, der Ordner oder die …-METADATA.xml.&lt;br&gt;PRISMA L2D: die .he5.&lt;br&gt;EMIT L2A: die .nc; ihre Pixel werden auf das Kartengitter gelegt.&lt;br&gt;Tanager: die .h5 mit Oberflächenreflexion, ortho oder basic.&lt;br&gt;AVIRIS-3 und -5: die …_RFL_ORT.nc.&lt;/p&gt;&lt;p&gt;Auch jedes Raster und jede netCDF-Datei mit Wellenlängen lässt sich importieren.&lt;/p&gt;&lt;h3&gt;Auszulassende Pixel&lt;/h3&gt;&lt;p&gt;Wolken, ihre Schatten, Dunst, Schnee, Wasser und anderes, soweit die Qualitätsebenen des Produkts sie melden; bei EMIT stehen diese in der Datei EMIT_L2A_MASK, die daneben liegen muss. Sie haben danach in keinem Kanal Daten. Was das Produkt ungültig nennt, hat in jedem Fall keine Daten.&lt;/p&gt;&lt;h3&gt;Importierte Szene&lt;/h3&gt;&lt;p&gt;Das GeoTIFF, in Echtfarben dargestellt.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>&lt;p&gt;Writes a report about a hyperspectral raster: what its file says about bands, reflectance and missing data and where that was read, what is odd about it, its mean and percentile spectra, and which of its bands a student would use for which of its own. Run it before anything else on a new kind of raster.&lt;/p&gt;&lt;h3&gt;Hyperspectral raster&lt;/h3&gt;&lt;p&gt;Any raster with band wavelengths (nm or µm). One that does not suit the student is described all the same, with the reason.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; comes with the plugin; or choose an .onnx file.&lt;/p&gt;&lt;h3&gt;Inspection report&lt;/h3&gt;&lt;p&gt;One HTML file without anything around it. After the run it is under &lt;i&gt;Processing › Results Viewer&lt;/i&gt;; any browser shows it too.&lt;/p&gt;</source>
        <translation>&lt;p&gt;Schreibt einen Bericht über ein hyperspektrales Raster: was seine Datei über Kanäle, Reflexionsgrade und fehlende Daten sagt und wo das gelesen wurde, was daran seltsam ist, seine mittleren Spektren und Perzentile, und welche seiner Kanäle ein Student für welchen der eigenen nähme. Bei einer neuen Art von Raster der erste Schritt.&lt;/p&gt;&lt;h3&gt;Hyperspektrales Raster&lt;/h3&gt;&lt;p&gt;Jedes Raster mit Wellenlängen der Kanäle (nm oder µm). Eines, das nicht zum Studenten passt, wird trotzdem beschrieben, mit dem Grund.&lt;/p&gt;&lt;h3&gt;Student&lt;/h3&gt;&lt;p&gt;&lt;i&gt;tiny&lt;/i&gt; kommt mit dem Plugin; oder wählen Sie eine .onnx-Datei.&lt;/p&gt;&lt;h3&gt;Untersuchungsbericht&lt;/h3&gt;&lt;p&gt;Eine HTML-Datei, die nichts weiter braucht. Nach dem Lauf liegt sie unter &lt;i&gt;Verarbeitung › Ergebnisanzeige&lt;/i&gt;; jeder Browser zeigt sie auch.&lt;/p&gt;</translation>
    </message>
    <message>
        <source>A METADATA.XML, .zip, .he5 or .nc, or a folder.</source>
        <translation>Eine METADATA.XML, .zip, .he5 oder .nc, oder ein Ordner.</translation>
    </message>
    <message>
        <source>A buffer of {buffer} px would do.</source>
        <translation>Ein Puffer von {buffer} px würde genügen.</translation>
    </message>
    <message>
        <source>A class (classification)</source>
        <translation>Eine Klasse (Klassifikation)</translation>
    </message>
    <message>
        <source>A company's network often brings its own. Add it in QGIS under Settings › Options › Authentication › Manage Certificates, and try again; or use a folder of wheels.</source>
        <translation>Das Netz einer Firma bringt oft ein eigenes mit. Fügen Sie es in QGIS unter Einstellungen › Optionen › Authentifizierung › Zertifikate verwalten hinzu, und versuchen Sie es erneut; oder verwenden Sie einen Ordner mit Wheels.</translation>
    </message>
    <message>
        <source>A file can also be dropped here.</source>
        <translation>Eine Datei lässt sich auch hierher ziehen.</translation>
    </message>
    <message>
        <source>A file or folder of the environment cannot be written.</source>
        <translation>Eine Datei oder ein Ordner der Umgebung lässt sich nicht schreiben.</translation>
    </message>
    <message>
        <source>A fine-tuned model: the name of a stored model, or the path of an .onnx file.</source>
        <translation>Ein feinabgestimmtes Modell: der Name eines gesammelten Modells, oder der Pfad einer .onnx-Datei.</translation>
    </message>
    <message>
        <source>A job runs in the engine. Wait until it has ended, or cancel it.</source>
        <translation>In der Engine läuft ein Auftrag. Warten, bis er fertig ist, oder ihn abbrechen.</translation>
    </message>
    <message>
        <source>A library of Windows that a package needs is missing or too old.</source>
        <translation>Eine Windows-Bibliothek, die ein Paket braucht, fehlt oder ist zu alt.</translation>
    </message>
    <message>
        <source>A model fine-tuned for classification.</source>
        <translation>Ein für Klassifikation feinabgestimmtes Modell.</translation>
    </message>
    <message>
        <source>A model fine-tuned for regression.</source>
        <translation>Ein für Regression feinabgestimmtes Modell.</translation>
    </message>
    <message>
        <source>A model for fractions of covers: the name of a shipped or stored model, or the path of an .onnx file.</source>
        <translation>Ein Modell für Anteile von Bedeckungen: der Name eines mitgelieferten oder gespeicherten Modells, oder der Pfad einer .onnx-Datei.</translation>
    </message>
    <message>
        <source>A package arrived damaged.</source>
        <translation>Ein Paket ist beschädigt angekommen.</translation>
    </message>
    <message>
        <source>A raster of the same bands to write: 1 where a value was filled, 0 where it is as measured.</source>
        <translation>Zu schreibendes Raster mit denselben Kanälen: 1, wo ein Wert gefüllt wurde, 0, wo er der gemessene ist.</translation>
    </message>
    <message>
        <source>A small map (GeoTIFF) of the model's current predictions, updated during training.</source>
        <translation>Eine kleine Karte (GeoTIFF) der aktuellen Vorhersagen des Modells; während des Trainings aktualisiert.</translation>
    </message>
    <message>
        <source>A split by {method} has no pixel of {what}.</source>
        <translation>Eine Aufteilung nach {method} hat kein Pixel von {what}.</translation>
    </message>
    <message>
        <source>A split by {method} with a buffer of {buffer} px has no pixel of {what}.</source>
        <translation>Eine Aufteilung nach {method} mit einem Puffer von {buffer} px hat kein Pixel von {what}.</translation>
    </message>
    <message>
        <source>A student: the name of a shipped or stored model, or the path of an .onnx file.</source>
        <translation>Ein Student: der Name eines mitgelieferten oder gesammelten Modells, oder der Pfad einer .onnx-Datei.</translation>
    </message>
    <message>
        <source>A system library that a package needs is missing or too old.</source>
        <translation>Eine Systembibliothek, die ein Paket braucht, fehlt oder ist zu alt.</translation>
    </message>
    <message>
        <source>A teacher (stored, a published .pt file, or a stand-in .safetensors) whose features guide the tokens while the encoder is trained.</source>
        <translation>Ein Lehrer (gesammelt, eine veröffentlichte .pt-Datei, oder ein Ersatzlehrer als .safetensors), dessen Merkmale die Tokens leiten, während der Encoder trainiert wird.</translation>
    </message>
    <message>
        <source>A teacher: students are distilled from it. It does not run on scenes itself.</source>
        <translation>Ein Lehrer: von ihm werden Studenten destilliert. Auf Szenen läuft er nicht selbst.</translation>
    </message>
    <message>
        <source>Accuracy</source>
        <translation>Genauigkeit</translation>
    </message>
    <message>
        <source>Add a model</source>
        <translation>Modell hinzufügen</translation>
    </message>
    <message>
        <source>Add the wheel that fits this Python and this system, and try again.</source>
        <translation>Legen Sie das Wheel dazu, das zu diesem Python und diesem System passt, und versuchen Sie es erneut.</translation>
    </message>
    <message>
        <source>Added on</source>
        <translation>Hinzugefügt am</translation>
    </message>
    <message>
        <source>Adding pip</source>
        <translation>pip wird hinzugefügt</translation>
    </message>
    <message>
        <source>Adding {file}</source>
        <translation>{file} wird hinzugefügt</translation>
    </message>
    <message>
        <source>After the test, train the final model on all labels, including the test labels.</source>
        <translation>Nach dem Test das endgültige Modell auf allen Labeln trainieren, auch auf den Testlabeln.</translation>
    </message>
    <message>
        <source>Algorithms then find the model by its name.</source>
        <translation>Algorithmen finden das Modell dann unter seinem Namen.</translation>
    </message>
    <message>
        <source>Align to HLS</source>
        <translation>An HLS angleichen</translation>
    </message>
    <message>
        <source>Aligning</source>
        <translation>Angleichen</translation>
    </message>
    <message>
        <source>All bands from {first} to {last} nm hold {value} in {share} of the pixels of {place} and the other bands do not; these pixels count as values.</source>
        <translation>Alle Kanäle von {first} bis {last} nm enthalten {value} in {share} der Pixel ({place}), die übrigen Kanäle nicht; diese Pixel zählen als Werte.</translation>
    </message>
    <message>
        <source>All bands from {first} to {last} nm hold {value} in {share} of the pixels of {place}, which is no reflectance and not the nodata value: such pixels are taken as missing everywhere.</source>
        <translation>Alle Kanäle von {first} bis {last} nm enthalten {value} in {share} der Pixel ({place}); das ist kein Reflexionsgrad und nicht der Nodata-Wert: solche Pixel gelten überall als fehlend.</translation>
    </message>
    <message>
        <source>All labels of {name} are equal, so R² is not defined.</source>
        <translation>Alle Label von {name} sind gleich, daher ist R² nicht definiert.</translation>
    </message>
    <message>
        <source>All models</source>
        <translation>Alle Modelle</translation>
    </message>
    <message>
        <source>Also fill bad bands in the two ranges of water vapour (1330 to 1490 and 1780 to 1990 nm).</source>
        <translation>Auch schlechte Kanäle in den beiden Bereichen des Wasserdampfs füllen (1330 bis 1490 und 1780 bis 1990 nm).</translation>
    </message>
    <message>
        <source>Also installs PyTorch: some hundred MB, for a GPU some GB.</source>
        <translation>Installiert auch PyTorch: einige hundert MB, für eine GPU einige GB.</translation>
    </message>
    <message>
        <source>Also look for dead and clearly wrong columns of single bands, and fill them.</source>
        <translation>Auch nach toten und deutlich falschen Spalten einzelner Kanäle suchen und sie füllen.</translation>
    </message>
    <message>
        <source>Also to fine-tune and distil, with &amp;PyTorch</source>
        <translation>Auch zum Feinabstimmen und Destillieren, mit &amp;PyTorch</translation>
    </message>
    <message>
        <source>Although nodata is {value}, every band is 0 in {share} of the pixels of {place}: if this is a border without data, declare nodata 0.</source>
        <translation>Obwohl Nodata {value} ist, ist in {share} der Pixel ({place}) jeder Kanal 0: ist das ein Rand ohne Daten, geben Sie Nodata 0 an.</translation>
    </message>
    <message>
        <source>An earlier model for classes whose probabilities at the labelled pixels serve as soft targets.</source>
        <translation>Ein früheres Modell für Klassen, dessen Wahrscheinlichkeiten an den Pixeln mit Label als weiche Ziele dienen.</translation>
    </message>
    <message>
        <source>An empty field undoes the choice.</source>
        <translation>Ein leeres Feld nimmt die Wahl zurück.</translation>
    </message>
    <message>
        <source>Anomalies</source>
        <translation>Anomalien</translation>
    </message>
    <message>
        <source>Anomaly score</source>
        <translation>Anomaliewert</translation>
    </message>
    <message>
        <source>Applicability</source>
        <translation>Anwendbarkeit</translation>
    </message>
    <message>
        <source>Areas of the classes</source>
        <translation>Flächen der Klassen</translation>
    </message>
    <message>
        <source>Assess</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Assess accuracy</source>
        <translation>Genauigkeit prüfen</translation>
    </message>
    <message>
        <source>Augmentation: added noise, as a fraction of the noise of the scene.</source>
        <translation>Augmentierung: zusätzliches Rauschen, als Anteil des Rauschens der Szene.</translation>
    </message>
    <message>
        <source>Augmentation: probability that a tile loses some neighbouring bands while the encoder is trained.</source>
        <translation>Augmentierung: Wahrscheinlichkeit, dass eine Kachel einige benachbarte Kanäle verliert, während der Encoder trainiert wird.</translation>
    </message>
    <message>
        <source>Augmentation: variation of brightness (standard deviation of its logarithm).</source>
        <translation>Augmentierung: Schwankung der Helligkeit (Standardabweichung ihres Logarithmus).</translation>
    </message>
    <message>
        <source>Average accuracy</source>
        <translation>Mittlere Genauigkeit</translation>
    </message>
    <message>
        <source>Averaging of weights (EMA decay)</source>
        <translation>Mittelung der Gewichte (EMA)</translation>
    </message>
    <message>
        <source>Bad bands in water vapour are left as they are: {bands}; the option vapour fills them.</source>
        <translation>Schlechte Kanäle im Wasserdampf bleiben, wie sie sind: {bands}; „Kanäle im Wasserdampf füllen“ füllt sie.</translation>
    </message>
    <message>
        <source>Band dropout</source>
        <translation>Augmentierung: fehlende Kanäle</translation>
    </message>
    <message>
        <source>Band metadata to use instead of the file's: a sensor (enmap, enmap-202), or a CSV with one row per band (wavelength_nm, fwhm_nm, bbl, scale, offset).</source>
        <translation>Angaben zu den Kanälen statt derer der Datei: ein Sensor (enmap, enmap-202), oder eine CSV mit einer Zeile je Kanal (wavelength_nm, fwhm_nm, bbl, scale, offset).</translation>
    </message>
    <message>
        <source>Band table (sensor or CSV file)</source>
        <translation>Kanaltabelle (Sensor oder CSV-Datei)</translation>
    </message>
    <message>
        <source>Band {band} is wrong in the columns {columns} (from 1).</source>
        <translation>Kanal {band} ist in den Spalten {columns} falsch (ab 1 gezählt).</translation>
    </message>
    <message>
        <source>Bands</source>
        <translation>Kanäle</translation>
    </message>
    <message>
        <source>Bands of one number are left as they are: {bands}; flag them as bad (bbl = 0) to have them filled.</source>
        <translation>Kanäle mit nur einer Zahl bleiben, wie sie sind: {bands}; als schlecht markiert (bbl = 0), werden sie gefüllt.</translation>
    </message>
    <message>
        <source>Bands the student uses</source>
        <translation>Kanäle, die der Student nutzt</translation>
    </message>
    <message>
        <source>Batch size (tiles)</source>
        <translation>Kacheln je Schritt (Batch)</translation>
    </message>
    <message>
        <source>Bias</source>
        <translation>Verzerrung</translation>
    </message>
    <message>
        <source>Block size (pixels)</source>
        <translation>Blockgröße (Pixel)</translation>
    </message>
    <message>
        <source>Brightness augmentation</source>
        <translation>Augmentierung: Helligkeit</translation>
    </message>
    <message>
        <source>Budget (hours)</source>
        <translation>Budget (Stunden)</translation>
    </message>
    <message>
        <source>Buffer around test labels (pixels)</source>
        <translation>Puffer um die Testlabel (Pixel)</translation>
    </message>
    <message>
        <source>C&amp;heck</source>
        <translation>Prü&amp;fen</translation>
    </message>
    <message>
        <source>C&amp;omputes on</source>
        <translation>Re&amp;chnet auf</translation>
    </message>
    <message>
        <source>Calibrate them to reflectance.</source>
        <translation>Kalibrieren Sie sie zu Reflexionsgraden.</translation>
    </message>
    <message>
        <source>Calibration rasters (static)</source>
        <translation>Kalibrierungsraster (static)</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>Abgebrochen.</translation>
    </message>
    <message>
        <source>Cancelled. No model was written.</source>
        <translation>Abgebrochen. Es wurde kein Modell geschrieben.</translation>
    </message>
    <message>
        <source>Cancelled. Nothing has changed.</source>
        <translation>Abgebrochen. Nichts hat sich geändert.</translation>
    </message>
    <message>
        <source>Cancelling…</source>
        <translation>Wird abgebrochen…</translation>
    </message>
    <message>
        <source>Card</source>
        <translation>Steckbrief</translation>
    </message>
    <message>
        <source>Chec&amp;k labels and split</source>
        <translation>Label und Aufteilung p&amp;rüfen</translation>
    </message>
    <message>
        <source>Check HyperKD's engine</source>
        <translation>HyperKDs Engine prüfen</translation>
    </message>
    <message>
        <source>Check Settings › Options › Network in QGIS, and try again.</source>
        <translation>Prüfen Sie in QGIS Einstellungen › Optionen › Netzwerk, und versuchen Sie es erneut.</translation>
    </message>
    <message>
        <source>Check imports each package and lets the engine read a model.</source>
        <translation>Prüfen importiert jedes Paket und lässt die Engine ein Modell lesen.</translation>
    </message>
    <message>
        <source>Check labels</source>
        <translation>Label prüfen</translation>
    </message>
    <message>
        <source>Check the network and Settings › Options › Network in QGIS, and try again: what was downloaded is kept. Without a network use a folder of wheels.</source>
        <translation>Prüfen Sie das Netz und in QGIS Einstellungen › Optionen › Netzwerk, und versuchen Sie es erneut: was schon geladen ist, bleibt erhalten. Ohne Netz verwenden Sie einen Ordner mit Wheels.</translation>
    </message>
    <message>
        <source>Check the network and an index of your company's (pip's configuration); on an unusual system use an interpreter that you already have.</source>
        <translation>Prüfen Sie das Netz und einen Index Ihrer Firma (Einstellungen von pip); auf einem ungewöhnlichen System verwenden Sie einen Interpreter, den Sie schon haben.</translation>
    </message>
    <message>
        <source>Check who may write there, and whether a virus scanner holds the file; or move the engine with the variable HYPERKD_ENGINES.</source>
        <translation>Prüfen Sie, wer dort schreiben darf und ob ein Virenscanner die Datei festhält; oder verlegen Sie die Engine mit der Variablen HYPERKD_ENGINES.</translation>
    </message>
    <message>
        <source>Check who may write there, or choose a place with the variable {name}.</source>
        <translation>Prüfen Sie, wer dort schreiben darf, oder wählen Sie mit der Variablen {name} einen anderen Ort.</translation>
    </message>
    <message>
        <source>Checking the labels…</source>
        <translation>Die Label werden geprüft…</translation>
    </message>
    <message>
        <source>Checking the packages</source>
        <translation>Die Pakete werden geprüft</translation>
    </message>
    <message>
        <source>Checking…</source>
        <translation>Wird geprüft…</translation>
    </message>
    <message>
        <source>Checkpoint</source>
        <translation>Checkpoint</translation>
    </message>
    <message>
        <source>Checkpoint (.safetensors)</source>
        <translation>Checkpoint (.safetensors)</translation>
    </message>
    <message>
        <source>Choose a file</source>
        <translation>Datei wählen</translation>
    </message>
    <message>
        <source>Choose a layer with labels: polygons, lines or points.</source>
        <translation>Wählen Sie einen Layer mit Labeln: Polygone, Linien oder Punkte.</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>Modell wählen</translation>
    </message>
    <message>
        <source>Choose an HTTP proxy under Settings › Options › Network, or a folder of wheels.</source>
        <translation>Wählen Sie unter Einstellungen › Optionen › Netzwerk einen HTTP-Proxy, oder einen Ordner mit Wheels.</translation>
    </message>
    <message>
        <source>Choose an output: the error, the reconstruction, or both.</source>
        <translation>Eine Ausgabe wählen: den Fehler, die Rekonstruktion oder beides.</translation>
    </message>
    <message>
        <source>Choose another one under Plugins › HyperKD › Engine…</source>
        <translation>Wählen Sie einen anderen unter Erweiterungen › HyperKD › Engine…</translation>
    </message>
    <message>
        <source>Choose at least one raster.</source>
        <translation>Wählen Sie mindestens ein Raster.</translation>
    </message>
    <message>
        <source>Choose labels: a layer of polygons, lines or points, or a class raster.</source>
        <translation>Label wählen: ein Layer mit Polygonen, Linien oder Punkten, oder ein Klassenraster.</translation>
    </message>
    <message>
        <source>Choose the encoding in the layer's properties (QGIS: Source), or save the layer as UTF-8.</source>
        <translation>Die Kodierung in den Layereigenschaften wählen (QGIS: Quelle) oder den Layer als UTF-8 speichern.</translation>
    </message>
    <message>
        <source>Choose the field that holds the labels.</source>
        <translation>Wählen Sie das Feld, in dem die Label stehen.</translation>
    </message>
    <message>
        <source>Choose the field that holds the labels. “{layer}” has {names}.</source>
        <translation>Wählen Sie das Feld, in dem die Label stehen. „{layer}“ hat {names}.</translation>
    </message>
    <message>
        <source>Choose the folder that holds the wheels.</source>
        <translation>Wählen Sie den Ordner, in dem die Wheels liegen.</translation>
    </message>
    <message>
        <source>Choose where to write the model.</source>
        <translation>Wählen Sie, wohin das Modell geschrieben wird.</translation>
    </message>
    <message>
        <source>Choose where to write the student.</source>
        <translation>Wählen Sie, wohin der Student geschrieben wird.</translation>
    </message>
    <message>
        <source>Chosen here. To undo the choice, empty the field and press Use it.</source>
        <translation>Hier gewählt; leeren Sie das Feld und drücken Sie Verwenden, um die Wahl zurückzunehmen.</translation>
    </message>
    <message>
        <source>Class</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>Class colours as value=#rrggbb. Default: those of the labels, or distinct ones.</source>
        <translation>Farben der Klassen als Wert=#rrggbb. Vorgabe: die der Label, oder gut unterscheidbare.</translation>
    </message>
    <message>
        <source>Class map</source>
        <translation>Klassenkarte</translation>
    </message>
    <message>
        <source>Class rasters</source>
        <translation>Klassenraster</translation>
    </message>
    <message>
        <source>Class rasters as labels, instead of features or in addition.</source>
        <translation>Klassenraster als Label, statt Objekten oder zusätzlich.</translation>
    </message>
    <message>
        <source>Class rasters within whose classes the labels were drawn at random, usually the map itself: accuracies and areas of the whole map are estimated, with intervals.</source>
        <translation>Klassenraster, in deren Klassen die Label zufällig gezogen wurden, meist die Karte selbst: Genauigkeiten und Flächen der ganzen Karte werden geschätzt, mit Intervallen.</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>Klassen</translation>
    </message>
    <message>
        <source>Classes of the labels</source>
        <translation>Klassen der Label</translation>
    </message>
    <message>
        <source>Classes with fewer than {few} are left out: {classes}.</source>
        <translation>Klassen mit weniger als {few} werden weggelassen: {classes}.</translation>
    </message>
    <message>
        <source>Classes without a usable pixel are left out: {classes}.</source>
        <translation>Klassen ohne brauchbares Pixel werden weggelassen: {classes}.</translation>
    </message>
    <message>
        <source>Classes, one per line</source>
        <translation>Klassen, eine je Zeile</translation>
    </message>
    <message>
        <source>Classical models are trained and tested on {count} random pixels.</source>
        <translation>Klassische Modelle werden an {count} zufälligen Pixeln trainiert und getestet.</translation>
    </message>
    <message>
        <source>Classification</source>
        <translation>Klassifikation</translation>
    </message>
    <message>
        <source>Classifies a scene and estimates the accuracy and the area of each class, with confidence intervals, from a stratified random sample of labels.</source>
        <translation>Klassifiziert eine Szene und schätzt Genauigkeit und Fläche jeder Klasse, mit Konfidenzintervallen, aus einer geschichteten Zufallsstichprobe von Labeln.</translation>
    </message>
    <message>
        <source>Classifies a scene with a fine-tuned model and lists the area of each class in hectares and in percent of what was mapped.</source>
        <translation>Klassifiziert eine Szene mit einem feinabgestimmten Modell und listet die Fläche jeder Klasse in Hektar und in Prozent des Kartierten auf.</translation>
    </message>
    <message>
        <source>Classify scene</source>
        <translation>Szene klassifizieren</translation>
    </message>
    <message>
        <source>Classify…</source>
        <translation>Klassifizieren…</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>Schließen</translation>
    </message>
    <message>
        <source>Clouds are in the data: no EMIT_L2A_MASK file of the scene lies beside it.</source>
        <translation>Die Daten enthalten Wolken: neben der Szene liegt keine EMIT_L2A_MASK-Datei.</translation>
    </message>
    <message>
        <source>Cluster map</source>
        <translation>Clusterkarte</translation>
    </message>
    <message>
        <source>Cluster scene</source>
        <translation>Szene clustern</translation>
    </message>
    <message>
        <source>Clusters</source>
        <translation>Cluster</translation>
    </message>
    <message>
        <source>Clusters a scene by a student's embedding, removes small patches and writes polygons: a first map without labels, and a start for drawing some.</source>
        <translation>Gruppiert eine Szene nach der Einbettung eines Studenten, entfernt kleine Flecken und schreibt Polygone: eine erste Karte ohne Label, und ein Anfang, um welche zu zeichnen.</translation>
    </message>
    <message>
        <source>Clusters the pixels by a student's embedding (k-means); needs no labels.</source>
        <translation>Gruppiert die Pixel nach der Einbettung eines Studenten (k-Means); braucht keine Label.</translation>
    </message>
    <message>
        <source>Cluster…</source>
        <translation>Clustern…</translation>
    </message>
    <message>
        <source>Codes of severe problems with a raster that are no reason to stop: you know better, and they become warnings.</source>
        <translation>Codes schwerer Probleme eines Rasters, die kein Grund zum Abbruch sind: Sie wissen es besser, und sie werden zu Warnungen.</translation>
    </message>
    <message>
        <source>Colour</source>
        <translation>Farbe</translation>
    </message>
    <message>
        <source>Colour infrared</source>
        <translation>Farbinfrarot</translation>
    </message>
    <message>
        <source>Colour of {name}</source>
        <translation>Farbe von {name}</translation>
    </message>
    <message>
        <source>Colours of classes (value=#rrggbb; …)</source>
        <translation>Farben der Klassen (Wert=#rrggbb; …)</translation>
    </message>
    <message>
        <source>Compare with &amp;classical models on the same labels</source>
        <translation>Mit &amp;klassischen Modellen auf denselben Labeln vergleichen</translation>
    </message>
    <message>
        <source>Compare with baselines (classical models)</source>
        <translation>Mit klassischen Modellen vergleichen</translation>
    </message>
    <message>
        <source>Compares a model's map with reference labels: accuracies with confidence intervals.</source>
        <translation>Vergleicht die Karte eines Modells mit Referenzlabeln: Genauigkeiten mit Konfidenzintervallen.</translation>
    </message>
    <message>
        <source>Compares the file with the checksum on record.</source>
        <translation>Vergleicht die Datei mit der verzeichneten Prüfsumme.</translation>
    </message>
    <message>
        <source>Comparison with classical models on the same labels</source>
        <translation>Vergleich mit klassischen Modellen auf denselben Labeln</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>Komponenten</translation>
    </message>
    <message>
        <source>Computes on</source>
        <translation>Rechnet auf</translation>
    </message>
    <message>
        <source>Computing clusters</source>
        <translation>Die Cluster werden berechnet</translation>
    </message>
    <message>
        <source>Computing initial weights</source>
        <translation>Die Anfangsgewichte werden berechnet</translation>
    </message>
    <message>
        <source>Computing scene statistics</source>
        <translation>Die Statistik der Szenen wird berechnet</translation>
    </message>
    <message>
        <source>Computing scores</source>
        <translation>Berechnung der Werte</translation>
    </message>
    <message>
        <source>Confusion matrix</source>
        <translation>Konfusionsmatrix</translation>
    </message>
    <message>
        <source>Continue an earlier run of the same job, and keep finished parts so that this run can be continued too.</source>
        <translation>Einen früheren Lauf desselben Auftrags fortsetzen, und fertige Teile aufheben, damit auch dieser Lauf fortgesetzt werden kann.</translation>
    </message>
    <message>
        <source>Continue an interrupted training of the same output.</source>
        <translation>Ein unterbrochenes Training derselben Ausgabe fortsetzen.</translation>
    </message>
    <message>
        <source>Copied to the clipboard:</source>
        <translation>In die Zwischenablage kopiert:</translation>
    </message>
    <message>
        <source>Copies a text for a bug report, without passwords and names of your folders.</source>
        <translation>Kopiert einen Text für einen Fehlerbericht, ohne Passwörter und ohne Namen Ihrer Ordner.</translation>
    </message>
    <message>
        <source>Copies the model's file.</source>
        <translation>Kopiert die Datei des Modells.</translation>
    </message>
    <message>
        <source>Copy &amp;diagnostics</source>
        <translation>&amp;Diagnose kopieren</translation>
    </message>
    <message>
        <source>Copy {file}</source>
        <translation>{file} kopieren</translation>
    </message>
    <message>
        <source>Copying {file}…</source>
        <translation>{file} wird kopiert…</translation>
    </message>
    <message>
        <source>Counting the strata</source>
        <translation>Die Schichten werden gezählt</translation>
    </message>
    <message>
        <source>Created</source>
        <translation>Erstellt</translation>
    </message>
    <message>
        <source>Cross-validating the head</source>
        <translation>Der Kopf wird kreuzvalidiert</translation>
    </message>
    <message>
        <source>Data type</source>
        <translation>Datentyp</translation>
    </message>
    <message>
        <source>Data type of the probabilities</source>
        <translation>Datentyp der Wahrscheinlichkeiten</translation>
    </message>
    <message>
        <source>Data type of the values; float16 has 3 digits and takes half the space.</source>
        <translation>Datentyp der Werte; float16 hat 3 Stellen und braucht halb so viel Platz.</translation>
    </message>
    <message>
        <source>Decay of the moving average of the weights, for instance 0.999; 0: no averaging.</source>
        <translation>Abklingen des gleitenden Mittels der Gewichte, zum Beispiel 0,999; 0: keine Mittelung.</translation>
    </message>
    <message>
        <source>Deletes the model from the store.</source>
        <translation>Löscht das Modell aus der Sammlung.</translation>
    </message>
    <message>
        <source>Deletes what set-up has installed. Models and trainings stay.</source>
        <translation>Löscht, was die Einrichtung installiert hat. Modelle und Trainings bleiben.</translation>
    </message>
    <message>
        <source>Depths in the teacher (fractions; …)</source>
        <translation>Tiefen im Lehrer (Anteile; …)</translation>
    </message>
    <message>
        <source>Depths of the compared features, as fractions of the teacher's blocks.</source>
        <translation>Tiefen der verglichenen Merkmale, als Anteile der Blöcke des Lehrers.</translation>
    </message>
    <message>
        <source>Detect target</source>
        <translation>Zielmaterial finden</translation>
    </message>
    <message>
        <source>Detection score</source>
        <translation>Detektionswert</translation>
    </message>
    <message>
        <source>Detections</source>
        <translation>Detektionen</translation>
    </message>
    <message>
        <source>Detector</source>
        <translation>Detektor</translation>
    </message>
    <message>
        <source>Detector: the adaptive cosine estimator (ace), the matched filter (mf), constrained energy minimisation (cem), or the spectral angle (sam).</source>
        <translation>Detektor: Adaptive Cosine Estimator (ace), Matched Filter (mf), Constrained Energy Minimisation (cem) oder Spektralwinkel (sam).</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Distance between features: cosine, smooth L1, L1 of unit vectors, divergence of their softmax, or relations of the attention's values.</source>
        <translation>Abstand zwischen Merkmalen: Kosinus, geglättetes L1, L1 von Einheitsvektoren, Divergenz ihres Softmax, oder die Beziehungen der Werte der Aufmerksamkeit.</translation>
    </message>
    <message>
        <source>Distance in pixels around test labels within which labels are not used for training. Default: up to half the receptive field, as long as enough labels remain.</source>
        <translation>Abstand um die Testlabel in Pixeln, in dem Label nicht zum Training dienen. Vorgabe: bis zum halben rezeptiven Feld, solange genug Label bleiben.</translation>
    </message>
    <message>
        <source>Distil student</source>
        <translation>Studenten destillieren</translation>
    </message>
    <message>
        <source>Distilling {student}</source>
        <translation>Destillation von {student}</translation>
    </message>
    <message>
        <source>Dominant cover</source>
        <translation>Vorherrschende Bedeckung</translation>
    </message>
    <message>
        <source>Done.</source>
        <translation>Fertig.</translation>
    </message>
    <message>
        <source>Double-click to choose another colour.</source>
        <translation>Doppelklick wählt eine andere Farbe.</translation>
    </message>
    <message>
        <source>Download that file, lay it beside the scene, and import again without clouds.</source>
        <translation>Laden Sie diese Datei herunter, legen Sie sie neben die Szene, und lassen Sie beim Import Wolken aus.</translation>
    </message>
    <message>
        <source>Downloads the published file and checks it.</source>
        <translation>Lädt die veröffentlichte Datei und prüft sie.</translation>
    </message>
    <message>
        <source>Drawing the split</source>
        <translation>Die Aufteilung wird gezeichnet</translation>
    </message>
    <message>
        <source>E&amp;xpert settings</source>
        <translation>E&amp;xperten-Einstellungen</translation>
    </message>
    <message>
        <source>Earlier model (soft targets)</source>
        <translation>Früheres Modell (weiche Ziele)</translation>
    </message>
    <message>
        <source>Early stopping (validations without improvement)</source>
        <translation>Früh beenden (Validierungen ohne Verbesserung)</translation>
    </message>
    <message>
        <source>Embed scene</source>
        <translation>Szene einbetten</translation>
    </message>
    <message>
        <source>Embedding</source>
        <translation>Einbettung</translation>
    </message>
    <message>
        <source>Embedding the places</source>
        <translation>Die Stellen werden eingebettet</translation>
    </message>
    <message>
        <source>Embed…</source>
        <translation>Einbetten…</translation>
    </message>
    <message>
        <source>End the training without a model? “Stop and keep the best” keeps one.</source>
        <translation>Das Training ohne Modell beenden? „Beenden, bestes behalten“ behält eines.</translation>
    </message>
    <message>
        <source>Ends the training now, with the best model so far.</source>
        <translation>Beendet das Training jetzt, mit dem bisher besten Modell.</translation>
    </message>
    <message>
        <source>Ends the training now, without a model.</source>
        <translation>Beendet das Training jetzt, ohne Modell.</translation>
    </message>
    <message>
        <source>Engine…</source>
        <translation>Engine…</translation>
    </message>
    <message>
        <source>Enter them under Settings › Options › Network in QGIS, and try again.</source>
        <translation>Geben Sie sie in QGIS unter Einstellungen › Optionen › Netzwerk ein, und versuchen Sie es erneut.</translation>
    </message>
    <message>
        <source>Epochs</source>
        <translation>Epochen</translation>
    </message>
    <message>
        <source>Epochs at most</source>
        <translation>Höchstzahl der Epochen</translation>
    </message>
    <message>
        <source>Error</source>
        <translation>Fehler</translation>
    </message>
    <message>
        <source>Error at the threshold</source>
        <translation>Fehler an der Schwelle</translation>
    </message>
    <message>
        <source>Error measure: the RMSE in reflectance, or the spectral angle, which ignores brightness and is mostly noise in dark pixels.</source>
        <translation>Fehlermaß: der RMSE als Reflexionsgrad, oder der spektrale Winkel, der die Helligkeit nicht beachtet und in dunklen Pixeln meist Rauschen ist.</translation>
    </message>
    <message>
        <source>Estimating background statistics</source>
        <translation>Die Hintergrundstatistik wird geschätzt</translation>
    </message>
    <message>
        <source>Every band holds {values} in {share} of the pixels of {place}, which is no reflectance and not the nodata value: such pixels are taken as missing everywhere.</source>
        <translation>In {share} der Pixel ({place}) steht in jedem Kanal {values}, was kein Reflexionsgrad und nicht der Nodata-Wert ist: solche Pixel gelten überall als fehlend.</translation>
    </message>
    <message>
        <source>Every band holds {value} in {share} of the pixels of {place}, as no spectrum does; they count as values.</source>
        <translation>In {share} der Pixel ({place}) steht in jedem Kanal {value}, was kein Spektrum ist; sie gelten als Werte.</translation>
    </message>
    <message>
        <source>Every feature has its own class. Does the field “{field}” hold the classes, or does it number the features?</source>
        <translation>Jedes Objekt hat eine eigene Klasse. Benennt das Feld „{field}“ wirklich die Klassen, oder nummeriert es die Objekte?</translation>
    </message>
    <message>
        <source>Execution provider</source>
        <translation>Rechenwerk (Provider)</translation>
    </message>
    <message>
        <source>Explained variance (fraction)</source>
        <translation>Erklärte Varianz (Anteil)</translation>
    </message>
    <message>
        <source>Export checkpoint</source>
        <translation>Checkpoint exportieren</translation>
    </message>
    <message>
        <source>Exporting to ONNX</source>
        <translation>Export nach ONNX</translation>
    </message>
    <message>
        <source>Extent of the preview: xmin ymin xmax ymax in the reference system of the first raster; at most 256 x 256 pixels around its centre. Default: the middle of that raster.</source>
        <translation>Ausdehnung der Vorschau: xmin ymin xmax ymax im Bezugssystem des ersten Rasters; höchstens 256 x 256 Pixel um die Mitte. Vorgabe: die Mitte dieses Rasters.</translation>
    </message>
    <message>
        <source>F&amp;ield</source>
        <translation>&amp;Feld</translation>
    </message>
    <message>
        <source>F1</source>
        <translation>F1</translation>
    </message>
    <message>
        <source>False-alarm rate</source>
        <translation>Falschalarmrate</translation>
    </message>
    <message>
        <source>Feature distance</source>
        <translation>Abstandsmaß der Merkmale</translation>
    </message>
    <message>
        <source>Feature projector</source>
        <translation>Projektion der Merkmale</translation>
    </message>
    <message>
        <source>Features</source>
        <translation>Objekte</translation>
    </message>
    <message>
        <source>Fetched from</source>
        <translation>Geholt von</translation>
    </message>
    <message>
        <source>Fetching the packages</source>
        <translation>Die Pakete werden geholt</translation>
    </message>
    <message>
        <source>Fetching {name}</source>
        <translation>{name} wird geholt</translation>
    </message>
    <message>
        <source>Fewer than {least} groups of labels are {classes}: no interval is given, and the scores are uncertain.</source>
        <translation>Weniger als {least} Gruppen von Labeln haben {classes}: kein Intervall, und die Werte sind unsicher.</translation>
    </message>
    <message>
        <source>Fi&amp;elds</source>
        <translation>F&amp;elder</translation>
    </message>
    <message>
        <source>Field of the labels</source>
        <translation>Feld der Label</translation>
    </message>
    <message>
        <source>File</source>
        <translation>Datei</translation>
    </message>
    <message>
        <source>Fill bands in water vapour</source>
        <translation>Kanäle im Wasserdampf füllen</translation>
    </message>
    <message>
        <source>Filled values</source>
        <translation>Gefüllte Werte</translation>
    </message>
    <message>
        <source>Fills dead pixels, bad bands and stripes of a hyperspectral raster.</source>
        <translation>Füllt tote Pixel, schlechte Kanäle und Streifen eines hyperspektralen Rasters.</translation>
    </message>
    <message>
        <source>Find anomalies</source>
        <translation>Anomalien finden</translation>
    </message>
    <message>
        <source>Find anomalies…</source>
        <translation>Anomalien finden…</translation>
    </message>
    <message>
        <source>Find places like mine (workflow)</source>
        <translation>Orte wie meine finden (Ablauf)</translation>
    </message>
    <message>
        <source>Find similar places</source>
        <translation>Ähnliche Stellen finden</translation>
    </message>
    <message>
        <source>Find stripes</source>
        <translation>Streifen suchen</translation>
    </message>
    <message>
        <source>Find unusual places (workflow)</source>
        <translation>Ungewöhnliche Orte finden (Ablauf)</translation>
    </message>
    <message>
        <source>Finds a material by its spectrum, from a spectral library or marked pixels.</source>
        <translation>Findet ein Material anhand seines Spektrums, aus einer Spektralbibliothek oder von markierten Pixeln.</translation>
    </message>
    <message>
        <source>Fine-tune</source>
        <translation>Feinabstimmen</translation>
    </message>
    <message>
        <source>Fine-tune model</source>
        <translation>Modell feinabstimmen</translation>
    </message>
    <message>
        <source>Fine-tunes the shipped student, tests it on held-out labels, and maps the scene.</source>
        <translation>Stimmt den mitgelieferten Studenten fein ab, testet ihn an zurückgehaltenen Labeln und kartiert die Szene.</translation>
    </message>
    <message>
        <source>Fine-tuning and distillation (PyTorch)</source>
        <translation>Feinabstimmung und Destillation (PyTorch)</translation>
    </message>
    <message>
        <source>Fine-tuning {model}</source>
        <translation>Feinabstimmung von {model}</translation>
    </message>
    <message>
        <source>First &amp;look</source>
        <translation>Erster B&amp;lick</translation>
    </message>
    <message>
        <source>First look</source>
        <translation>Erster Blick</translation>
    </message>
    <message>
        <source>First look at “{scene}”…</source>
        <translation>Erster Blick auf „{scene}“…</translation>
    </message>
    <message>
        <source>Fold {number} of {total}.</source>
        <translation>Teil {number} von {total} der Kreuzvalidierung.</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>Ordner</translation>
    </message>
    <message>
        <source>Folder for the accuracy report (report.html) and its numbers (report.json).</source>
        <translation>Ordner für den Genauigkeitsbericht (report.html) und seine Zahlen (report.json).</translation>
    </message>
    <message>
        <source>Folder of the caches</source>
        <translation>Ordner der Zwischenspeicher</translation>
    </message>
    <message>
        <source>Folder of the caches, which may be deleted at any time. Default: beside the output.</source>
        <translation>Ordner der Zwischenspeicher, die jederzeit gelöscht werden dürfen. Vorgabe: neben der Ausgabe.</translation>
    </message>
    <message>
        <source>Folder of wheels</source>
        <translation>Ordner mit Wheels</translation>
    </message>
    <message>
        <source>Folds of a cross-validation</source>
        <translation>Teile einer Kreuzvalidierung</translation>
    </message>
    <message>
        <source>For more reliable scores use cross-validation.</source>
        <translation>Für verlässlichere Werte Kreuzvalidierung verwenden.</translation>
    </message>
    <message>
        <source>Format of the outputs: GeoTIFF, or cloud optimised GeoTIFF (cog) with overviews.</source>
        <translation>Format der Ausgaben: GeoTIFF, oder Cloud-optimiertes GeoTIFF (cog) mit Übersichten.</translation>
    </message>
    <message>
        <source>Found in the development checkout.</source>
        <translation>In der Entwicklungskopie gefunden.</translation>
    </message>
    <message>
        <source>Fraction of all pixels</source>
        <translation>Anteil an allen Pixeln</translation>
    </message>
    <message>
        <source>Fraction of each label that is spread evenly over all classes.</source>
        <translation>Anteil jedes Labels, der gleichmäßig auf alle Klassen verteilt wird.</translation>
    </message>
    <message>
        <source>Fraction of labels for testing</source>
        <translation>Anteil der Label zum Testen</translation>
    </message>
    <message>
        <source>Fraction of labels for validation</source>
        <translation>Anteil der Label zur Validierung</translation>
    </message>
    <message>
        <source>Fraction of masked patches</source>
        <translation>Anteil maskierter Patches</translation>
    </message>
    <message>
        <source>Fraction of pixels beyond the range of the labels</source>
        <translation>Anteil der Pixel außerhalb des Bereichs der Label</translation>
    </message>
    <message>
        <source>Fraction of scenes held out</source>
        <translation>Zurückgehaltener Anteil der Szenen</translation>
    </message>
    <message>
        <source>Fraction of the background's pixels that may be detected by mistake; the threshold follows from it.</source>
        <translation>Anteil der Hintergrundpixel, der irrtümlich detektiert werden darf; daraus folgt die Schwelle.</translation>
    </message>
    <message>
        <source>Fraction of the best patches left visible</source>
        <translation>Anteil der besten Patches, der sichtbar bleibt</translation>
    </message>
    <message>
        <source>Fraction of the labels held out for the test.</source>
        <translation>Anteil der Label, der für den Test zurückgehalten wird.</translation>
    </message>
    <message>
        <source>Fraction of the labels that decides when to stop training the encoder; a frozen encoder uses folds of the training labels instead.</source>
        <translation>Anteil der Label, der entscheidet, wann das Training des Encoders endet; bei eingefrorenem Encoder dienen dazu Folds der Trainingslabel.</translation>
    </message>
    <message>
        <source>Fraction of the loss that the earlier model's soft targets have.</source>
        <translation>Anteil des Verlusts, den die weichen Ziele des früheren Modells haben.</translation>
    </message>
    <message>
        <source>Fraction of the mask that is guided</source>
        <translation>Anteil der gelenkten Maske</translation>
    </message>
    <message>
        <source>Fraction of the masked patches that the score chooses at the end of training; it grows from 0, and 0 is random masking.</source>
        <translation>Anteil der maskierten Patches, den am Ende des Trainings der Wert wählt; er wächst von 0 an, und 0 ist zufälliges Maskieren.</translation>
    </message>
    <message>
        <source>Fraction of the patches that is masked.</source>
        <translation>Anteil der Patches, der maskiert wird.</translation>
    </message>
    <message>
        <source>Fraction of the patches with the best score that stays visible.</source>
        <translation>Anteil der Patches mit dem besten Wert, der sichtbar bleibt.</translation>
    </message>
    <message>
        <source>Fraction of the scenes held out for validation.</source>
        <translation>Anteil der Szenen, der zur Validierung zurückgehalten wird.</translation>
    </message>
    <message>
        <source>Fractions</source>
        <translation>Anteile</translation>
    </message>
    <message>
        <source>Fractions as colours</source>
        <translation>Anteile als Farben</translation>
    </message>
    <message>
        <source>Fractions by physics (a model like cover, or none)</source>
        <translation>Anteile aus der Physik (Modell wie cover, oder none)</translation>
    </message>
    <message>
        <source>Frames for the teacher</source>
        <translation>Bilder für den Lehrer</translation>
    </message>
    <message>
        <source>Frames of the teacher's input: a single one, or the same one three times.</source>
        <translation>Bilder in der Eingabe des Lehrers: ein einzelnes, oder dasselbe dreimal.</translation>
    </message>
    <message>
        <source>Free some space, or move the engine with the variable HYPERKD_ENGINES.</source>
        <translation>Schaffen Sie Platz, oder verlegen Sie die Engine mit der Variablen HYPERKD_ENGINES.</translation>
    </message>
    <message>
        <source>Free some space, or move the engine with the variable {name}.</source>
        <translation>Schaffen Sie Platz, oder verlegen Sie die Engine mit der Variablen {name}.</translation>
    </message>
    <message>
        <source>Give labels.</source>
        <translation>Label angeben.</translation>
    </message>
    <message>
        <source>Gives the label layer the colours of this table.</source>
        <translation>Gibt dem Label-Layer die Farben dieser Tabelle.</translation>
    </message>
    <message>
        <source>Good bands</source>
        <translation>Gute Kanäle</translation>
    </message>
    <message>
        <source>HLS bands</source>
        <translation>HLS-Kanäle</translation>
    </message>
    <message>
        <source>HTML files (*.html)</source>
        <translation>HTML-Dateien (*.html)</translation>
    </message>
    <message>
        <source>Held out for the test</source>
        <translation>Für den Test zurückgehalten</translation>
    </message>
    <message>
        <source>How far inside a polygon a pixel's centre must lie, in pixels; from 0.71 on only pixels that lie wholly inside count.</source>
        <translation>Wie weit innerhalb eines Polygons die Mitte eines Pixels liegen muss, in Pixeln; ab 0,71 zählen nur Pixel, die ganz innerhalb liegen.</translation>
    </message>
    <message>
        <source>How much of the embedding's variance the quantised student may lose.</source>
        <translation>Wie viel der Varianz der Einbettung der quantisierte Student verlieren darf.</translation>
    </message>
    <message>
        <source>How probabilities are stored: bytes in steps of 0.004, or as they are.</source>
        <translation>Wie Wahrscheinlichkeiten gespeichert werden: Bytes in Schritten von 0,004, oder wie sie sind.</translation>
    </message>
    <message>
        <source>How the six HLS bands are made: the mean of the bands in each range, a Gaussian response, or the nearest band.</source>
        <translation>Wie die sechs HLS-Kanäle entstehen: das Mittel der Kanäle in jedem Bereich, eine gaußförmige Empfindlichkeit, oder der nächste Kanal.</translation>
    </message>
    <message>
        <source>How: dynamic makes the weights int8 and takes the range of the inputs from each batch; static takes these ranges from the calibration rasters; float16 is for GPUs.</source>
        <translation>Wie: dynamic speichert die Gewichte als int8 und bestimmt den Wertebereich der Eingaben aus jedem Stapel; static nimmt diese Bereiche aus den Kalibrierungsrastern; float16 ist für GPUs.</translation>
    </message>
    <message>
        <source>HyperKD</source>
        <translation>HyperKD</translation>
    </message>
    <message>
        <source>HyperKD engine</source>
        <translation>HyperKD-Engine</translation>
    </message>
    <message>
        <source>HyperKD engine {version}</source>
        <translation>HyperKD-Engine {version}</translation>
    </message>
    <message>
        <source>HyperKD has no engine yet. Set it up under Plugins › HyperKD › Engine… or with the algorithm hyperkd:setupengine; or name a Python that has the engine's packages in the environment variable HYPERKD_ENGINE_PYTHON.</source>
        <translation>HyperKD hat noch keine Engine. Richten Sie sie unter Erweiterungen › HyperKD › Engine… ein oder mit dem Algorithmus hyperkd:setupengine; oder nennen Sie in der Umgebungsvariablen HYPERKD_ENGINE_PYTHON ein Python, das die Pakete der Engine hat.</translation>
    </message>
    <message>
        <source>HyperKD models</source>
        <translation>HyperKD-Modelle</translation>
    </message>
    <message>
        <source>HyperKD runs in its own process with its own packages, so a crash here cannot affect QGIS. Nothing is installed until you ask for it.</source>
        <translation>HyperKD rechnet in einem eigenen Prozess mit eigenen Paketen; ein Absturz dort kann QGIS nicht treffen. Installiert wird erst auf Wunsch.</translation>
    </message>
    <message>
        <source>HyperKD's engine is set up. Select a scene's layer and press “First look”.</source>
        <translation>HyperKDs Engine ist eingerichtet. Wählen Sie den Layer einer Szene und drücken Sie „Erster Blick“.</translation>
    </message>
    <message>
        <source>HyperKD's engine was set up for Python {old}, but QGIS now has Python {new}. Set it up again under Plugins › HyperKD › Engine… or with the algorithm hyperkd:setupengine.</source>
        <translation>HyperKDs Engine wurde für Python {old} eingerichtet, aber QGIS hat jetzt Python {new}. Richten Sie sie unter Erweiterungen › HyperKD › Engine… neu ein oder mit dem Algorithmus hyperkd:setupengine.</translation>
    </message>
    <message>
        <source>HyperKD's engine was set up to run models only; this needs PyTorch too. Set it up again under Plugins › HyperKD › Engine… with fine-tuning ticked, or with the algorithm hyperkd:setupengine and TRAINING.</source>
        <translation>HyperKDs Engine wurde nur zum Anwenden von Modellen eingerichtet; dies braucht auch PyTorch. Richten Sie sie unter Erweiterungen › HyperKD › Engine… neu ein, mit Feinabstimmung angekreuzt, oder mit dem Algorithmus hyperkd:setupengine und TRAINING.</translation>
    </message>
    <message>
        <source>HyperKD's own environment</source>
        <translation>HyperKDs eigene Umgebung</translation>
    </message>
    <message>
        <source>HyperKD's own environment is used.</source>
        <translation>HyperKDs eigene Umgebung wird verwendet.</translation>
    </message>
    <message>
        <source>HyperKD: distil a student</source>
        <translation>HyperKD: einen Studenten destillieren</translation>
    </message>
    <message>
        <source>HyperKD: fine-tune a model</source>
        <translation>HyperKD: ein Modell feinabstimmen</translation>
    </message>
    <message>
        <source>HyperKD: fine-tuning</source>
        <translation>HyperKD: Feinabstimmung</translation>
    </message>
    <message>
        <source>HyperKD: hyperspectral students</source>
        <translation>HyperKD: hyperspektrale Studenten</translation>
    </message>
    <message>
        <source>Hyperspectral raster</source>
        <translation>Hyperspektrales Raster</translation>
    </message>
    <message>
        <source>Hyperspectral rasters</source>
        <translation>Hyperspektrale Raster</translation>
    </message>
    <message>
        <source>Hyperspectral rasters on which the smaller model is compared with its original.</source>
        <translation>Hyperspektrale Raster, auf denen das kleinere Modell mit seinem Original verglichen wird.</translation>
    </message>
    <message>
        <source>If a detector has no data there, give {value} as “No-data value” in the advanced or expert settings.</source>
        <translation>Hat ein Detektor dort keine Daten, geben Sie {value} als „Nodata-Wert“ bei den erweiterten Parametern oder Experten-Einstellungen an.</translation>
    </message>
    <message>
        <source>If that is wrong, give “Scale” in the advanced or expert settings.</source>
        <translation>Ist das falsch, geben Sie „Skalierung“ bei den erweiterten Parametern oder Experten-Einstellungen an.</translation>
    </message>
    <message>
        <source>If they are fill, give {value} as “No-data value” in the advanced or expert settings.</source>
        <translation>Sind sie Füllwerte, geben Sie {value} als „Nodata-Wert“ bei den erweiterten Parametern oder Experten-Einstellungen an.</translation>
    </message>
    <message>
        <source>If you know better, tick {code} under “Severe problems to accept” in the advanced or expert settings.</source>
        <translation>Wissen Sie es besser, wählen Sie {code} unter „Schwere Probleme hinnehmen“ bei den erweiterten Parametern oder Experten-Einstellungen.</translation>
    </message>
    <message>
        <source>Import product</source>
        <translation>Produkt importieren</translation>
    </message>
    <message>
        <source>Imported scene</source>
        <translation>Importierte Szene</translation>
    </message>
    <message>
        <source>Importing</source>
        <translation>Import</translation>
    </message>
    <message>
        <source>Importing it ended the interpreter (signal or code {code}): {said}</source>
        <translation>Der Import hat den Interpreter beendet (Signal oder Code {code}): {said}</translation>
    </message>
    <message>
        <source>Importing it ended the interpreter: {said}</source>
        <translation>Der Import hat den Interpreter beendet: {said}</translation>
    </message>
    <message>
        <source>Importing it took too long.</source>
        <translation>Der Import hat zu lange gedauert.</translation>
    </message>
    <message>
        <source>Imports a delivered product, writes a report about it, and makes the six bands of the teacher Prithvi.</source>
        <translation>Importiert ein geliefertes Produkt, schreibt einen Bericht darüber und macht die sechs Kanäle des Lehrers Prithvi.</translation>
    </message>
    <message>
        <source>Imports each package and lets the engine read a model.</source>
        <translation>Importiert jedes Paket und lässt die Engine ein Modell lesen.</translation>
    </message>
    <message>
        <source>In brackets: 95 % confidence interval.</source>
        <translation>In Klammern: 95-%-Konfidenzintervall.</translation>
    </message>
    <message>
        <source>Initial weights</source>
        <translation>Anfangsgewichte</translation>
    </message>
    <message>
        <source>Initial weights: principal components of the scenes, or random numbers.</source>
        <translation>Anfangsgewichte: Hauptkomponenten der Szenen, oder Zufallszahlen.</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Eingabe</translation>
    </message>
    <message>
        <source>Input of the teacher</source>
        <translation>Eingabe des Lehrers</translation>
    </message>
    <message>
        <source>Inspect raster</source>
        <translation>Raster untersuchen</translation>
    </message>
    <message>
        <source>Inspection report</source>
        <translation>Untersuchungsbericht</translation>
    </message>
    <message>
        <source>Inspect…</source>
        <translation>Untersuchen…</translation>
    </message>
    <message>
        <source>Install Microsoft's Visual C++ Redistributable (x64, 2015 to 2022), restart Windows, and try again.</source>
        <translation>Installieren Sie Microsofts Visual C++ Redistributable (x64, 2015 bis 2022), starten Sie Windows neu, und versuchen Sie es erneut.</translation>
    </message>
    <message>
        <source>Install the plugin again: plugin and engine must have the same version.</source>
        <translation>Das Plugin neu installieren: Plugin und Engine müssen dieselbe Version haben.</translation>
    </message>
    <message>
        <source>Installing the packages</source>
        <translation>Die Pakete werden installiert</translation>
    </message>
    <message>
        <source>Installs the packages that HyperKD's engine needs, apart from QGIS's own.</source>
        <translation>Installiert die Pakete, die HyperKDs Engine braucht, getrennt von denen von QGIS.</translation>
    </message>
    <message>
        <source>Interpolated along the spectrum: {bands}.</source>
        <translation>Entlang des Spektrums interpoliert: {bands}.</translation>
    </message>
    <message>
        <source>Interpolated values</source>
        <translation>Interpolierte Werte</translation>
    </message>
    <message>
        <source>Interpreter of the engine</source>
        <translation>Interpreter der Engine</translation>
    </message>
    <message>
        <source>Interrupted: the engine ended unexpectedly, for instance because the computer was switched off.</source>
        <translation>Unterbrochen: die Engine endete unerwartet, zum Beispiel weil der Rechner ausgeschaltet wurde.</translation>
    </message>
    <message>
        <source>It is neither in the index nor in the folder of wheels, or a constraint excludes it: “pip config list” shows the constraints.</source>
        <translation>Entweder liegt es weder im Index noch im Ordner mit Wheels, oder eine Einschränkung schließt es aus; der Befehl „pip config list“ sagt, wo diese stehen.</translation>
    </message>
    <message>
        <source>Joins scenes of one sensor to a virtual raster and classifies them as one, without seams.</source>
        <translation>Fügt Szenen eines Sensors zu einem virtuellen Raster zusammen und klassifiziert sie als eine, ohne Nähte.</translation>
    </message>
    <message>
        <source>Kappa</source>
        <translation>Kappa</translation>
    </message>
    <message>
        <source>Label smoothing</source>
        <translation>Glättung der Label</translation>
    </message>
    <message>
        <source>Label these classes in more places that lie apart, merge them with others or leave them out, or choose another split.</source>
        <translation>Diese Klassen an mehr Orten labeln, die auseinander liegen, sie mit anderen vereinen oder weglassen, oder eine andere Aufteilung wählen.</translation>
    </message>
    <message>
        <source>Labelled pixels</source>
        <translation>Pixel mit Label</translation>
    </message>
    <message>
        <source>Labels</source>
        <translation>Label</translation>
    </message>
    <message>
        <source>Labels c&amp;ontain</source>
        <translation>Label enth&amp;alten</translation>
    </message>
    <message>
        <source>Labels contain</source>
        <translation>Label enthalten</translation>
    </message>
    <message>
        <source>Labels of the rasters: polygon, line or point layers, or class rasters. With labels the loss is measured in accuracy, without them in agreement with the original.</source>
        <translation>Label der Raster: Layer aus Polygonen, Linien oder Punkten, oder Klassenraster. Mit Labeln wird der Verlust als Genauigkeit gemessen, ohne sie als Übereinstimmung mit dem Original.</translation>
    </message>
    <message>
        <source>Labels to model, report and class map</source>
        <translation>Von Labeln zu Modell, Bericht und Klassenkarte</translation>
    </message>
    <message>
        <source>Labels: polygon, line or point layers (file.gpkg|layername=x names one of several), or class rasters. Each is tried on every raster.</source>
        <translation>Label: Layer aus Polygonen, Linien oder Punkten (datei.gpkg|layername=x nennt einen von mehreren), oder Klassenraster. Jeder wird auf jedem Raster versucht.</translation>
    </message>
    <message>
        <source>Largest accepted loss (percentage points)</source>
        <translation>Größter erlaubter Verlust (Prozentpunkte)</translation>
    </message>
    <message>
        <source>Largest accepted loss in percentage points: of overall accuracy or R2 with labels; otherwise of pixels that change class, or of unexplained variance.</source>
        <translation>Größter erlaubter Verlust in Prozentpunkten: an Gesamtgenauigkeit oder R2 mit Labeln; sonst an Pixeln, die ihre Klasse wechseln, oder an nicht erklärter Varianz.</translation>
    </message>
    <message>
        <source>Largest learning rate. Default: that of the preset, or of what is trained.</source>
        <translation>Größte Lernrate. Vorgabe: je nach Größe des Studenten, oder danach, was trainiert wird.</translation>
    </message>
    <message>
        <source>Learning from the scene</source>
        <translation>Lernen aus der Szene</translation>
    </message>
    <message>
        <source>Learning rate</source>
        <translation>Lernrate</translation>
    </message>
    <message>
        <source>Left as they are, because they lack more than a quarter of their bands: {count} pixels.</source>
        <translation>Unverändert, weil ihnen mehr als ein Viertel der Kanäle fehlt: {count} Pixel.</translation>
    </message>
    <message>
        <source>Left out for contradicting labels: {count} pixels ({where}).</source>
        <translation>Weggelassen wegen widersprüchlicher Label: {count} Pixel ({where}).</translation>
    </message>
    <message>
        <source>Left out, because the scene has no data there: {count} pixels.</source>
        <translation>Weggelassen, weil die Szene dort keine Daten hat: {count} Pixel.</translation>
    </message>
    <message>
        <source>Licence</source>
        <translation>Lizenz</translation>
    </message>
    <message>
        <source>Licence of the student (SPDX)</source>
        <translation>Lizenz des Studenten (SPDX)</translation>
    </message>
    <message>
        <source>Loading the checkpoint</source>
        <translation>Der Checkpoint wird geladen</translation>
    </message>
    <message>
        <source>Look at HyperKD's engine</source>
        <translation>HyperKDs Engine ansehen</translation>
    </message>
    <message>
        <source>Look at the spectra (Inspect raster).</source>
        <translation>Sehen Sie sich die Spektren an (Raster untersuchen).</translation>
    </message>
    <message>
        <source>Looking for QGIS's Python</source>
        <translation>Das Python von QGIS wird gesucht</translation>
    </message>
    <message>
        <source>Looking for missing values</source>
        <translation>Suche nach fehlenden Werten</translation>
    </message>
    <message>
        <source>Looking for stripes</source>
        <translation>Suche nach Streifen</translation>
    </message>
    <message>
        <source>Looking for torch {version}</source>
        <translation>Suche torch {version}</translation>
    </message>
    <message>
        <source>Loss</source>
        <translation>Verlust</translation>
    </message>
    <message>
        <source>Macro F1</source>
        <translation>Makro-F1</translation>
    </message>
    <message>
        <source>Macro IoU</source>
        <translation>Makro-IoU</translation>
    </message>
    <message>
        <source>Made from</source>
        <translation>Entstanden aus</translation>
    </message>
    <message>
        <source>Make sure that they are; if so, correct the text.</source>
        <translation>Prüfen Sie, ob sie das sind; dann berichtigen Sie den Text.</translation>
    </message>
    <message>
        <source>Makes a model for your classes or quantities from a few labels, and tests it.</source>
        <translation>Macht aus wenigen Labeln ein Modell für Ihre Klassen oder Größen und testet es.</translation>
    </message>
    <message>
        <source>Makes a model smaller and faster (int8, float16), unless it loses too much.</source>
        <translation>Macht ein Modell kleiner und schneller (int8, float16), wenn es nicht zu viel verliert.</translation>
    </message>
    <message>
        <source>Makes the six HLS bands, the input of Prithvi, from a hyperspectral raster.</source>
        <translation>Macht aus einem hyperspektralen Raster die sechs HLS-Kanäle, die Eingabe von Prithvi.</translation>
    </message>
    <message>
        <source>Making the environment</source>
        <translation>Die Umgebung wird angelegt</translation>
    </message>
    <message>
        <source>Map a &amp;scene…</source>
        <translation>&amp;Szene kartieren…</translation>
    </message>
    <message>
        <source>Map a scene</source>
        <translation>Szene kartieren</translation>
    </message>
    <message>
        <source>Map of values</source>
        <translation>Wertekarte</translation>
    </message>
    <message>
        <source>Map values (regression)</source>
        <translation>Werte kartieren (Regression)</translation>
    </message>
    <message>
        <source>Map with this model</source>
        <translation>Mit diesem Modell kartieren</translation>
    </message>
    <message>
        <source>Mapped pixels</source>
        <translation>Kartierte Pixel</translation>
    </message>
    <message>
        <source>Mapping {scene}</source>
        <translation>{scene} wird kartiert</translation>
    </message>
    <message>
        <source>Maps a student's reconstruction error and marks the anomalies.</source>
        <translation>Kartiert den Rekonstruktionsfehler eines Studenten und markiert die Anomalien.</translation>
    </message>
    <message>
        <source>Maps how similar each pixel is to places that you mark.</source>
        <translation>Kartiert, wie ähnlich jedes Pixel markierten Stellen ist.</translation>
    </message>
    <message>
        <source>Maps the classes that a model was fine-tuned on, with probabilities.</source>
        <translation>Kartiert die Klassen, auf die ein Modell feinabgestimmt wurde, mit Wahrscheinlichkeiten.</translation>
    </message>
    <message>
        <source>Maps the quantities that a model was fine-tuned on, for instance cover fractions.</source>
        <translation>Kartiert die Größen, auf die ein Modell feinabgestimmt wurde, zum Beispiel Deckungsanteile.</translation>
    </message>
    <message>
        <source>Maps the quantities that a model was fine-tuned on, with statistics of the first.</source>
        <translation>Kartiert die Größen, auf die ein Modell feinabgestimmt wurde, mit Statistik der ersten.</translation>
    </message>
    <message>
        <source>Maps the similarity of a scene to marked places, and extracts the pixels above a threshold.</source>
        <translation>Kartiert die Ähnlichkeit einer Szene mit markierten Stellen und schneidet die Pixel über einer Schwelle aus.</translation>
    </message>
    <message>
        <source>Maps what covers a scene, without a label: fractions, dominant cover, error.</source>
        <translation>Kartiert, was eine Szene bedeckt, ohne ein Label: Anteile, vorherrschende Bedeckung, Fehler.</translation>
    </message>
    <message>
        <source>Margin inside polygons (pixels)</source>
        <translation>Abstand vom Polygonrand nach innen (Pixel)</translation>
    </message>
    <message>
        <source>Marked bad, because the error matrix calls them invalid in more than half of {pixels}: {bands}.</source>
        <translation>Als schlecht markiert, weil die Fehlermatrix sie in mehr als der Hälfte ({pixels}) ungültig nennt: {bands}.</translation>
    </message>
    <message>
        <source>Marked pixels</source>
        <translation>Markierte Pixel</translation>
    </message>
    <message>
        <source>Marks pixels that a student cannot explain from their surroundings.</source>
        <translation>Markiert Pixel, die ein Student nicht aus ihrer Umgebung erklären kann.</translation>
    </message>
    <message>
        <source>Masking labels</source>
        <translation>Label werden maskiert</translation>
    </message>
    <message>
        <source>Maximum</source>
        <translation>Maximum</translation>
    </message>
    <message>
        <source>Maximum number of passes over the labels; training usually stops earlier.</source>
        <translation>Höchstzahl der Durchgänge durch die Label; meist endet das Training früher.</translation>
    </message>
    <message>
        <source>Mean</source>
        <translation>Mittel</translation>
    </message>
    <message>
        <source>Mean absolute error</source>
        <translation>Mittlerer absoluter Fehler</translation>
    </message>
    <message>
        <source>Mean fraction of each cover</source>
        <translation>Mittlerer Anteil jeder Bedeckung</translation>
    </message>
    <message>
        <source>Measure of the loss</source>
        <translation>Maß des Verlusts</translation>
    </message>
    <message>
        <source>Measure the squared error in standard deviations of its own patch instead of the band's.</source>
        <translation>Den quadratischen Fehler in Standardabweichungen des eigenen Patches messen statt denen des Kanals.</translation>
    </message>
    <message>
        <source>Measuring…</source>
        <translation>Wird gemessen…</translation>
    </message>
    <message>
        <source>Median error</source>
        <translation>Median des Fehlers</translation>
    </message>
    <message>
        <source>Memory (MB)</source>
        <translation>Arbeitsspeicher (MB)</translation>
    </message>
    <message>
        <source>Memory that the job may take, in megabytes. Default: a quarter of the machine's, at most 2000.</source>
        <translation>Arbeitsspeicher, den der Auftrag nehmen darf, in Megabyte. Vorgabe: ein Viertel dessen der Maschine, höchstens 2000.</translation>
    </message>
    <message>
        <source>Method</source>
        <translation>Wie</translation>
    </message>
    <message>
        <source>Metrics</source>
        <translation>Kennzahlen</translation>
    </message>
    <message>
        <source>Micro IoU</source>
        <translation>Mikro-IoU</translation>
    </message>
    <message>
        <source>Minimum</source>
        <translation>Minimum</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modell</translation>
    </message>
    <message>
        <source>Model (name or .onnx file)</source>
        <translation>Modell (Name oder .onnx-Datei)</translation>
    </message>
    <message>
        <source>Model (name or file)</source>
        <translation>Modell (Name oder Datei)</translation>
    </message>
    <message>
        <source>Model information</source>
        <translation>Modell beschreiben</translation>
    </message>
    <message>
        <source>Model to write</source>
        <translation>Zu schreibendes Modell</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>Modelle</translation>
    </message>
    <message>
        <source>Most often a virus scanner or too little memory is the reason.</source>
        <translation>Meist ist ein Virenscanner oder zu wenig Arbeitsspeicher der Grund.</translation>
    </message>
    <message>
        <source>NVIDIA GPU (CUDA)</source>
        <translation>NVIDIA-GPU (CUDA)</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>Name</translation>
    </message>
    <message>
        <source>Name a mirror of that index in the variable {name}, take a folder of wheels, or choose the other kind of machine under Computes on.</source>
        <translation>Einen Spiegel dieses Index in der Variablen {name} nennen, einen Ordner mit Wheels nehmen, oder unter „Rechnet auf“ die andere Art von Rechner wählen.</translation>
    </message>
    <message>
        <source>Name of the target in the library</source>
        <translation>Name des Zielspektrums in der Bibliothek</translation>
    </message>
    <message>
        <source>Name of the target in the library, or its number (#1), where the library has several.</source>
        <translation>Name des Zielspektrums in der Bibliothek oder seine Nummer (#1), wenn sie mehrere enthält.</translation>
    </message>
    <message>
        <source>Named by the environment variable {name}.</source>
        <translation>Von der Umgebungsvariablen {name} benannt.</translation>
    </message>
    <message>
        <source>Names of classes were decoded wrongly: {names}.</source>
        <translation>Klassennamen wurden mit der falschen Zeichenkodierung gelesen: {names}.</translation>
    </message>
    <message>
        <source>Natural colour</source>
        <translation>Natürliche Farben</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netz</translation>
    </message>
    <message>
        <source>Network for single spectra, taught by simulated truth, whose fractions of covers are used beside the spectra where they help: name or path of a model like cover, or none.</source>
        <translation>Netz für einzelne Spektren, das mit simulierten Szenen trainiert wurde und dessen Anteile von Bedeckungen neben den Spektren benutzt werden, wo sie helfen: Name oder Pfad eines Modells wie cover, oder none.</translation>
    </message>
    <message>
        <source>No band holds a valid value in {place}.</source>
        <translation>Kein Kanal enthält einen gültigen Wert ({place}).</translation>
    </message>
    <message>
        <source>No data in {place} and therefore not used: {bands}.</source>
        <translation>Keine Daten ({place}) und deshalb nicht verwendet: {bands}.</translation>
    </message>
    <message>
        <source>No interpreter has been chosen yet.</source>
        <translation>Es ist noch kein Interpreter gewählt.</translation>
    </message>
    <message>
        <source>No model fits yet: choose a file</source>
        <translation>Noch passt kein Modell: Datei wählen</translation>
    </message>
    <message>
        <source>No nodata value is declared, and every band is 0 in {share} of the pixels of {place}: if this is a border without data, declare nodata 0.</source>
        <translation>Es ist kein Nodata-Wert angegeben, und in {share} der Pixel ({place}) ist jeder Kanal 0: ist das ein Rand ohne Daten, geben Sie Nodata 0 an.</translation>
    </message>
    <message>
        <source>No nodata value is declared, but every band holds {value} in {share} of the pixels of {place}: taken as nodata.</source>
        <translation>Es ist kein Nodata-Wert angegeben, aber in {share} der Pixel ({place}) steht in jedem Kanal {value}: gilt als Nodata.</translation>
    </message>
    <message>
        <source>No output was written. The last messages of the engine are in the log: View › Panels › Log Messages › {tab}.</source>
        <translation>Es wurde nichts geschrieben. Was die Engine zuletzt gesagt hat, steht im Protokoll: Ansicht › Bedienfelder › Protokoll › {tab}.</translation>
    </message>
    <message>
        <source>No pixel of the {part} part is {classes}.</source>
        <translation>Kein Pixel des Teils {part} ist {classes}.</translation>
    </message>
    <message>
        <source>No reference pixel is {classes}: scores that need one are not defined, and averages over classes leave them out.</source>
        <translation>Kein Referenzpixel ist {classes}: Werte, die eines brauchen, sind nicht definiert und fehlen in den Mitteln über Klassen.</translation>
    </message>
    <message>
        <source>No test pixel was mapped as {classes}: its F1 and IoU are 0, its user's accuracy is not defined.</source>
        <translation>Kein Testpixel wurde als {classes} kartiert: F1 und IoU sind 0, die Nutzergenauigkeit ist nicht definiert.</translation>
    </message>
    <message>
        <source>No test pixel was mapped as {name}.</source>
        <translation>Kein Testpixel wurde als {name} kartiert.</translation>
    </message>
    <message>
        <source>No training is running.</source>
        <translation>Es läuft kein Training.</translation>
    </message>
    <message>
        <source>No {name} fits pip's settings on this machine (constraints: {constraints}).</source>
        <translation>Kein {name} passt zu den Einstellungen von pip auf diesem Rechner (Einschränkungen: {constraints}).</translation>
    </message>
    <message>
        <source>No-data value</source>
        <translation>Nodata-Wert</translation>
    </message>
    <message>
        <source>Noise augmentation</source>
        <translation>Augmentierung: Rauschen</translation>
    </message>
    <message>
        <source>Normalise the error by patch</source>
        <translation>Fehler je Patch normieren</translation>
    </message>
    <message>
        <source>Not used by its producer (List_Cw_*_Flags): {bands}.</source>
        <translation>Vom Hersteller nicht verwendet (List_Cw_*_Flags): {bands}.</translation>
    </message>
    <message>
        <source>Nothing is missing: all values are as they were.</source>
        <translation>Nichts fehlt: alle Werte sind, wie sie waren.</translation>
    </message>
    <message>
        <source>Nothing was removed.</source>
        <translation>Es wurde nichts entfernt.</translation>
    </message>
    <message>
        <source>Number format of multiplications: auto takes bfloat16 on a GPU and float32 on a CPU.</source>
        <translation>Zahlenformat der Multiplikationen: auto nimmt bfloat16 auf einer GPU und float32 auf einer CPU.</translation>
    </message>
    <message>
        <source>Number of clusters.</source>
        <translation>Zahl der Cluster.</translation>
    </message>
    <message>
        <source>Number of cross-validation folds (3 or more) instead of one test part; the final model is then trained on all labels.</source>
        <translation>Zahl der Folds einer Kreuzvalidierung (3 oder mehr) statt eines Testteils; das endgültige Modell wird dann auf allen Labeln trainiert.</translation>
    </message>
    <message>
        <source>Number of encoder blocks to train where the last blocks are tuned.</source>
        <translation>Zahl der Blöcke des Encoders, die trainiert werden, wo die letzten Blöcke angepasst werden.</translation>
    </message>
    <message>
        <source>Number of last blocks to train</source>
        <translation>Zahl der letzten Blöcke, die trainiert werden</translation>
    </message>
    <message>
        <source>Number of passes over the scenes. Default: what the preset's number of steps (tiny 2000) amounts to.</source>
        <translation>Zahl der Durchgänge durch die Szenen. Vorgabe: was der Zahl der Schritte der Größe entspricht (tiny 2000).</translation>
    </message>
    <message>
        <source>Number of principal components of this scene to write; 0 writes the embedding itself.</source>
        <translation>Zahl der Hauptkomponenten dieser Szene, die geschrieben werden; 0 schreibt die Einbettung selbst.</translation>
    </message>
    <message>
        <source>Number of tiles of each raster to compare, evenly spread.</source>
        <translation>Zahl der Kacheln jedes Rasters, die verglichen werden, gleichmäßig verteilt.</translation>
    </message>
    <message>
        <source>Of the test pixels mapped as {name}, {share} are correct.</source>
        <translation>Von den als {name} kartierten Testpixeln stimmen {share}.</translation>
    </message>
    <message>
        <source>Of {all} training pixels, {count} are used, of each class in proportion.</source>
        <translation>Von {all} Trainingspixeln werden {count} genommen, von jeder Klasse im Verhältnis.</translation>
    </message>
    <message>
        <source>On Debian and Ubuntu install the package python3-venv and try again; elsewhere use an interpreter that you already have.</source>
        <translation>Unter Debian und Ubuntu installieren Sie das Paket python3-venv und versuchen es erneut; anderswo verwenden Sie einen Interpreter, den Sie schon haben.</translation>
    </message>
    <message>
        <source>On known values that were hidden the prediction is off by {error} in reflectance, a line along the spectrum by {line}.</source>
        <translation>Bei bekannten Werten, die verdeckt wurden, liegt die Vorhersage im Reflexionsgrad um {error} daneben, eine Gerade entlang des Spektrums um {line}.</translation>
    </message>
    <message>
        <source>One number ({number}) in every pixel of {place} and therefore not used: {bands}.</source>
        <translation>Ein und dieselbe Zahl ({number}) in jedem Pixel ({place}) und deshalb nicht verwendet: {bands}.</translation>
    </message>
    <message>
        <source>Only 1 pixel from 1 place tests the model.</source>
        <translation>Nur 1 Pixel von 1 Ort testet das Modell.</translation>
    </message>
    <message>
        <source>Only {pixels} pixels from 1 place test the model.</source>
        <translation>Nur {pixels} Pixel von 1 Ort testen das Modell.</translation>
    </message>
    <message>
        <source>Only {pixels} pixels from {places} places test the model.</source>
        <translation>Nur {pixels} Pixel von {places} Orten testen das Modell.</translation>
    </message>
    <message>
        <source>Open &amp;report</source>
        <translation>&amp;Bericht öffnen</translation>
    </message>
    <message>
        <source>Open a hyperspectral scene first: Layer › Add Layer, or drop its file here.</source>
        <translation>Öffnen Sie zuerst eine hyperspektrale Szene: Layer › Layer hinzufügen, oder legen Sie ihre Datei hier ab.</translation>
    </message>
    <message>
        <source>Open a hyperspectral scene first: drop its file onto the map, or press Add files…</source>
        <translation>Zuerst eine hyperspektrale Szene öffnen: ihre Datei auf die Karte ziehen oder „Dateien hinzufügen…“ drücken</translation>
    </message>
    <message>
        <source>Open the dialog…</source>
        <translation>Dialog öffnen…</translation>
    </message>
    <message>
        <source>Opening</source>
        <translation>Öffnen</translation>
    </message>
    <message>
        <source>Opens the algorithm that runs this model.</source>
        <translation>Öffnet den Algorithmus, der dieses Modell anwendet.</translation>
    </message>
    <message>
        <source>Output format</source>
        <translation>Ausgabeformat</translation>
    </message>
    <message>
        <source>Overall accuracy</source>
        <translation>Gesamtgenauigkeit</translation>
    </message>
    <message>
        <source>Overlap of tiles (pixels)</source>
        <translation>Überlappung der Kacheln (Pixel)</translation>
    </message>
    <message>
        <source>Packages</source>
        <translation>Pakete</translation>
    </message>
    <message>
        <source>Packages &amp;from</source>
        <translation>Pakete a&amp;us</translation>
    </message>
    <message>
        <source>Packages, one per line</source>
        <translation>Pakete, eines je Zeile</translation>
    </message>
    <message>
        <source>Parents (SHA-256)</source>
        <translation>Eltern (SHA-256)</translation>
    </message>
    <message>
        <source>Patch size (pixels)</source>
        <translation>Patchgröße (Pixel)</translation>
    </message>
    <message>
        <source>Paused.</source>
        <translation>Angehalten.</translation>
    </message>
    <message>
        <source>Pixel size</source>
        <translation>Pixelgröße</translation>
    </message>
    <message>
        <source>Pixel storage</source>
        <translation>Ablage der Pixel</translation>
    </message>
    <message>
        <source>Pixels</source>
        <translation>Pixel</translation>
    </message>
    <message>
        <source>Pixels by which neighbouring tiles overlap; they are blended. Default: a quarter of the tile, or less where the model's receptive field is smaller.</source>
        <translation>Pixel, um die sich benachbarte Kacheln überlappen; sie werden überblendet. Vorgabe: ein Viertel der Kachel, oder weniger, wo das rezeptive Feld des Modells kleiner ist.</translation>
    </message>
    <message>
        <source>Pixels left out</source>
        <translation>Ausgelassene Pixel</translation>
    </message>
    <message>
        <source>Pixels of delivered products to leave out, as far as their quality layers show them; none keeps all pixels.</source>
        <translation>Pixel gelieferter Produkte, die ausgelassen werden, soweit deren Qualitätsebenen sie zeigen; none behält alle Pixel.</translation>
    </message>
    <message>
        <source>Pixels of each class</source>
        <translation>Pixel jeder Klasse</translation>
    </message>
    <message>
        <source>Pixels of each cluster</source>
        <translation>Pixel jedes Clusters</translation>
    </message>
    <message>
        <source>Pixels of each dominant cover</source>
        <translation>Pixel jeder vorherrschenden Bedeckung</translation>
    </message>
    <message>
        <source>Pixels that are anomalies</source>
        <translation>Pixel, die Anomalien sind</translation>
    </message>
    <message>
        <source>Pixels that are detections</source>
        <translation>Detektierte Pixel</translation>
    </message>
    <message>
        <source>Pixels that lack too much</source>
        <translation>Pixel, denen zu viel fehlt</translation>
    </message>
    <message>
        <source>Pixels to leave out</source>
        <translation>Auszulassende Pixel</translation>
    </message>
    <message>
        <source>Pixels to leave out, by the quality layers that the product brings.</source>
        <translation>Pixel, die nach den Qualitätsebenen des Produkts ausgelassen werden.</translation>
    </message>
    <message>
        <source>Pixels were split at random: test pixels lie beside training pixels, so the scores are optimistic.</source>
        <translation>Die Pixel wurden zufällig aufgeteilt: Testpixel liegen neben Trainingspixeln, die Werte sind also zu gut.</translation>
    </message>
    <message>
        <source>Pixels with at least this similarity are extracted; 1 is identical.</source>
        <translation>Pixel mit mindestens dieser Ähnlichkeit werden ausgeschnitten; 1 ist gleich.</translation>
    </message>
    <message>
        <source>Pixels with data</source>
        <translation>Pixel mit Daten</translation>
    </message>
    <message>
        <source>Places</source>
        <translation>Stellen</translation>
    </message>
    <message>
        <source>Plugins › HyperKD › Engine… checks what the engine has.</source>
        <translation>Erweiterungen › HyperKD › Engine… prüft, was die Engine hat.</translation>
    </message>
    <message>
        <source>Points, lines or polygons of what you look for.</source>
        <translation>Punkte, Linien oder Polygone dessen, was gesucht wird.</translation>
    </message>
    <message>
        <source>Points, lines or polygons on the target in the scene, instead of a library; the mean of their pixels is the target (file.gpkg|layername=x names one layer).</source>
        <translation>Punkte, Linien oder Polygone auf dem Zielmaterial in der Szene, anstelle einer Bibliothek; der Mittelwert ihrer Pixel ist das Ziel (file.gpkg|layername=x benennt einen Layer).</translation>
    </message>
    <message>
        <source>Points, lines or polygons on the target.</source>
        <translation>Punkte, Linien oder Polygone auf dem Zielmaterial.</translation>
    </message>
    <message>
        <source>Points, lines or polygons that mark what to look for (file.gpkg|layername=x names one layer).</source>
        <translation>Punkte, Linien oder Polygone, die zeigen, was gesucht wird (datei.gpkg|layername=x nennt einen Layer).</translation>
    </message>
    <message>
        <source>Polygons of similar surfaces</source>
        <translation>Polygone ähnlicher Oberflächen</translation>
    </message>
    <message>
        <source>Polygons, lines or points with their class or quantity in a field.</source>
        <translation>Polygone, Linien oder Punkte mit ihrer Klasse oder Größe in einem Feld.</translation>
    </message>
    <message>
        <source>Polygons, lines or points with their class.</source>
        <translation>Polygone, Linien oder Punkte mit ihrer Klasse.</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Genauigkeit der Zahlen</translation>
    </message>
    <message>
        <source>Predicted from the scene: {bands}.</source>
        <translation>Aus der Szene vorhergesagt: {bands}.</translation>
    </message>
    <message>
        <source>Predicting at pixels</source>
        <translation>Vorhersage an Pixeln</translation>
    </message>
    <message>
        <source>Predicting at the labels</source>
        <translation>An den Labeln wird vorhergesagt</translation>
    </message>
    <message>
        <source>Predicting at the test pixels</source>
        <translation>Vorhersage an den Testpixeln</translation>
    </message>
    <message>
        <source>Predicts each pixel from its surroundings and maps the error.</source>
        <translation>Sagt jedes Pixel aus seiner Umgebung vorher und kartiert den Fehler.</translation>
    </message>
    <message>
        <source>Prepare</source>
        <translation>Vorbereiten</translation>
    </message>
    <message>
        <source>Preparing spectra</source>
        <translation>Spektren werden vorbereitet</translation>
    </message>
    <message>
        <source>Preview of the current model</source>
        <translation>Vorschau des jetzigen Modells</translation>
    </message>
    <message>
        <source>Preview while training</source>
        <translation>Vorschau während des Trainings</translation>
    </message>
    <message>
        <source>Probabilities</source>
        <translation>Wahrscheinlichkeiten</translation>
    </message>
    <message>
        <source>Problems, one per line</source>
        <translation>Probleme, eines je Zeile</translation>
    </message>
    <message>
        <source>Processor (every machine)</source>
        <translation>Prozessor (jede Maschine)</translation>
    </message>
    <message>
        <source>Producer's accuracy</source>
        <translation>Herstellergenauigkeit</translation>
    </message>
    <message>
        <source>Product (file or folder)</source>
        <translation>Produkt (Datei oder Ordner)</translation>
    </message>
    <message>
        <source>Product to scene, report and HLS bands</source>
        <translation>Vom Produkt zu Szene, Bericht und HLS-Kanälen</translation>
    </message>
    <message>
        <source>Python interpreter of the engine</source>
        <translation>Python-Interpreter der Engine</translation>
    </message>
    <message>
        <source>Python {version}, made {date}, in {folder}</source>
        <translation>Python {version}, angelegt {date}, in {folder}</translation>
    </message>
    <message>
        <source>QGIS is set to a SOCKS proxy, which pip cannot use. Choose an HTTP proxy under Settings › Options › Network, or a folder of wheels.</source>
        <translation>In QGIS ist ein SOCKS-Proxy eingestellt, den pip nicht verwenden kann. Wählen Sie unter Einstellungen › Optionen › Netzwerk einen HTTP-Proxy, oder einen Ordner mit Wheels.</translation>
    </message>
    <message>
        <source>QGIS's Python cannot make secure connections (it lacks the module ssl).</source>
        <translation>Das Python von QGIS kann keine sicheren Verbindungen aufbauen (ihm fehlt das Modul ssl).</translation>
    </message>
    <message>
        <source>QGIS's Python cannot make virtual environments.</source>
        <translation>Das Python von QGIS kann keine virtuellen Umgebungen anlegen.</translation>
    </message>
    <message>
        <source>QGIS's own Python was not found as a program that imports GDAL and numpy.</source>
        <translation>Das Python von QGIS wurde nicht als Programm gefunden, das GDAL und numpy importiert.</translation>
    </message>
    <message>
        <source>Quantise model</source>
        <translation>Modell quantisieren</translation>
    </message>
    <message>
        <source>Quantised</source>
        <translation>Quantisiert</translation>
    </message>
    <message>
        <source>Quantised model</source>
        <translation>Quantisiertes Modell</translation>
    </message>
    <message>
        <source>Quantities (regression)</source>
        <translation>Größen (Regression)</translation>
    </message>
    <message>
        <source>RMSE</source>
        <translation>RMSE</translation>
    </message>
    <message>
        <source>RPD</source>
        <translation>RPD</translation>
    </message>
    <message>
        <source>RPIQ</source>
        <translation>RPIQ</translation>
    </message>
    <message>
        <source>Random seed: the same seed gives the same result on the same machine.</source>
        <translation>Startwert der Zufallszahlen: derselbe Startwert gibt auf derselben Maschine dasselbe Ergebnis.</translation>
    </message>
    <message>
        <source>Rank of the adapters</source>
        <translation>Rang der Adapter</translation>
    </message>
    <message>
        <source>Rank of the adapters.</source>
        <translation>Rang der Adapter.</translation>
    </message>
    <message>
        <source>Rasters</source>
        <translation>Raster</translation>
    </message>
    <message>
        <source>Rasters for the comparison</source>
        <translation>Raster für den Vergleich</translation>
    </message>
    <message>
        <source>Rasters from which a static model takes its ranges of values; better others than those it is compared on.</source>
        <translation>Raster, aus denen ein statisches Modell seine Wertebereiche nimmt; besser andere als die, auf denen verglichen wird.</translation>
    </message>
    <message>
        <source>Rasters of the training labels</source>
        <translation>Raster der Trainingslabel</translation>
    </message>
    <message>
        <source>Reading and encoding the tiles</source>
        <translation>Die Kacheln werden gelesen und codiert</translation>
    </message>
    <message>
        <source>Reading labels</source>
        <translation>Label werden gelesen</translation>
    </message>
    <message>
        <source>Reading soft targets</source>
        <translation>Weiche Ziele werden gelesen</translation>
    </message>
    <message>
        <source>Reading spectra</source>
        <translation>Spektren werden gelesen</translation>
    </message>
    <message>
        <source>Reading the labels…</source>
        <translation>Die Label werden gelesen…</translation>
    </message>
    <message>
        <source>Reading the model store</source>
        <translation>Die Modellsammlung wird gelesen</translation>
    </message>
    <message>
        <source>Reading the raster</source>
        <translation>Das Raster wird gelesen</translation>
    </message>
    <message>
        <source>Reading the scenes</source>
        <translation>Die Szenen werden gelesen</translation>
    </message>
    <message>
        <source>Reading the target's pixels</source>
        <translation>Lesen der Zielpixel</translation>
    </message>
    <message>
        <source>Reading the teacher</source>
        <translation>Der Lehrer wird gelesen</translation>
    </message>
    <message>
        <source>Reading the tiles</source>
        <translation>Die Kacheln werden gelesen</translation>
    </message>
    <message>
        <source>Reason of the threshold</source>
        <translation>Begründung der Schwelle</translation>
    </message>
    <message>
        <source>Reconstruct scene</source>
        <translation>Szene rekonstruieren</translation>
    </message>
    <message>
        <source>Reconstruction</source>
        <translation>Rekonstruktion</translation>
    </message>
    <message>
        <source>Reconstruction error</source>
        <translation>Rekonstruktionsfehler</translation>
    </message>
    <message>
        <source>Reference labels at randomly drawn places.</source>
        <translation>Referenzlabel an zufällig gezogenen Stellen.</translation>
    </message>
    <message>
        <source>Reflectance (0 to 1) per stored unit, instead of the file's scale.</source>
        <translation>Reflexionsgrad (0 bis 1) je gespeicherter Einheit, statt der Skalierung der Datei.</translation>
    </message>
    <message>
        <source>Reflectance of a stored 1 in the library, where it does not say: 0.01 for percent.</source>
        <translation>Reflexionsgrad einer gespeicherten 1 in der Bibliothek, wenn sie das nicht angibt: 0.01 für Prozent.</translation>
    </message>
    <message>
        <source>Regression</source>
        <translation>Regression</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Bemerkung</translation>
    </message>
    <message>
        <source>Remove HyperKD's engine</source>
        <translation>HyperKDs Engine entfernen</translation>
    </message>
    <message>
        <source>Remove HyperKD's engine? This deletes {size} in {folder}: the environment, pip's cache and the log of the set-up.

Models, trainings and QGIS's own packages stay. The engine can be set up again at any time.</source>
        <translation>HyperKDs Engine entfernen? Das löscht {size} in {folder}: die Umgebung, pips Zwischenspeicher und das Protokoll der Einrichtung.

Modelle, Trainings und QGIS' eigene Pakete bleiben. Die Engine lässt sich jederzeit neu einrichten.</translation>
    </message>
    <message>
        <source>Remove “{name}” from the model store? Its file is deleted.</source>
        <translation>„{name}“ aus der Modellsammlung entfernen? Seine Datei wird gelöscht.</translation>
    </message>
    <message>
        <source>Removing {name}</source>
        <translation>{name} wird entfernt</translation>
    </message>
    <message>
        <source>Removing…</source>
        <translation>Wird entfernt…</translation>
    </message>
    <message>
        <source>Repeats the model's self-test on this machine, and times it.</source>
        <translation>Wiederholt den Selbsttest des Modells auf dieser Maschine und misst die Zeit.</translation>
    </message>
    <message>
        <source>Report</source>
        <translation>Bericht</translation>
    </message>
    <message>
        <source>Reports wavelengths, spectra and problems of a raster, and which bands a student uses.</source>
        <translation>Berichtet über Wellenlängen, Spektren und Probleme eines Rasters und welche Kanäle ein Student nutzt.</translation>
    </message>
    <message>
        <source>Resampling method</source>
        <translation>Verfahren der Umrechnung</translation>
    </message>
    <message>
        <source>Resampling to the teacher's bands</source>
        <translation>Umrechnung auf die Kanäle des Lehrers</translation>
    </message>
    <message>
        <source>Restore scene</source>
        <translation>Szene ausbessern</translation>
    </message>
    <message>
        <source>Restored scene</source>
        <translation>Ausgebesserte Szene</translation>
    </message>
    <message>
        <source>Restoring</source>
        <translation>Ausbessern</translation>
    </message>
    <message>
        <source>Resume an interrupted run</source>
        <translation>Unterbrochenen Lauf fortsetzen</translation>
    </message>
    <message>
        <source>Resume an interrupted training</source>
        <translation>Unterbrochenes Training fortsetzen</translation>
    </message>
    <message>
        <source>Resume the interrupted trainin&amp;g</source>
        <translation>&amp;Unterbrochenes Training fortsetzen</translation>
    </message>
    <message>
        <source>Revision</source>
        <translation>Revision</translation>
    </message>
    <message>
        <source>Run</source>
        <translation>Anwenden</translation>
    </message>
    <message>
        <source>Run HyperKD</source>
        <translation>HyperKD anwenden</translation>
    </message>
    <message>
        <source>Run on &amp;layer…</source>
        <translation>Auf &amp;Layer anwenden…</translation>
    </message>
    <message>
        <source>Running on the processor.</source>
        <translation>Läuft auf dem Prozessor.</translation>
    </message>
    <message>
        <source>Running on {place}.</source>
        <translation>Läuft auf {place}.</translation>
    </message>
    <message>
        <source>Runs the model on every scene and adds the maps to the project.</source>
        <translation>Wendet das Modell auf jede Szene an; die Karten kommen ins Projekt.</translation>
    </message>
    <message>
        <source>R²</source>
        <translation>R²</translation>
    </message>
    <message>
        <source>SHA-256</source>
        <translation>SHA-256</translation>
    </message>
    <message>
        <source>SPDX identifier of the licence under which the student is passed on.</source>
        <translation>SPDX-Kennung der Lizenz, unter der der Student weitergegeben wird.</translation>
    </message>
    <message>
        <source>Sampling spectra</source>
        <translation>Spektren werden gezogen</translation>
    </message>
    <message>
        <source>Sampling the scene</source>
        <translation>Eine Stichprobe der Szene wird gezogen</translation>
    </message>
    <message>
        <source>Save a copy</source>
        <translation>Kopie speichern</translation>
    </message>
    <message>
        <source>Save student to the s&amp;tore</source>
        <translation>Studenten in die &amp;Sammlung</translation>
    </message>
    <message>
        <source>Save to the store</source>
        <translation>In den Modellspeicher</translation>
    </message>
    <message>
        <source>Saved as {path}.</source>
        <translation>Gespeichert als {path}.</translation>
    </message>
    <message>
        <source>Saving the model</source>
        <translation>Das Modell wird gespeichert</translation>
    </message>
    <message>
        <source>Saving the student</source>
        <translation>Der Student wird gespeichert</translation>
    </message>
    <message>
        <source>Scale (reflectance per stored unit)</source>
        <translation>Skalierung (Reflexionsgrad je gespeicherter Einheit)</translation>
    </message>
    <message>
        <source>Scale of the library (reflectance per stored unit)</source>
        <translation>Skalierung der Bibliothek (Reflexionsgrad je gespeicherter Einheit)</translation>
    </message>
    <message>
        <source>Scene to class map and areas</source>
        <translation>Von der Szene zu Klassenkarte und Flächen</translation>
    </message>
    <message>
        <source>Scene to class map with area estimates</source>
        <translation>Von der Szene zur Klassenkarte mit geschätzten Flächen</translation>
    </message>
    <message>
        <source>Scene to map of values and statistics</source>
        <translation>Von der Szene zu Wertekarte und Statistik</translation>
    </message>
    <message>
        <source>Scene to polygons of similar surfaces</source>
        <translation>Von der Szene zu Polygonen ähnlicher Oberflächen</translation>
    </message>
    <message>
        <source>Scenes</source>
        <translation>Szenen</translation>
    </message>
    <message>
        <source>Scenes to student and quantised student</source>
        <translation>Von Szenen zu Student und quantisiertem Studenten</translation>
    </message>
    <message>
        <source>Scenes with the same bands in the same reference system.</source>
        <translation>Szenen mit denselben Kanälen im selben Bezugssystem.</translation>
    </message>
    <message>
        <source>Score from which a pixel counts as an anomaly.</source>
        <translation>Wert, von dem an ein Pixel als Anomalie gilt.</translation>
    </message>
    <message>
        <source>Score that guides the mask</source>
        <translation>Maß, das die Maske lenkt</translation>
    </message>
    <message>
        <source>Score that guides the mask: Haar details, gradients, Gabor filters, variance, or random numbers.</source>
        <translation>Wert, der die Maske leitet: Haar-Einzelheiten, Gradienten, Gabor-Filter, Varianz, oder Zufallszahlen.</translation>
    </message>
    <message>
        <source>Scores may be too high.</source>
        <translation>Die Werte können zu hoch sein.</translation>
    </message>
    <message>
        <source>Search names, tasks, classes, licences</source>
        <translation>Namen, Aufgaben, Klassen, Lizenzen suchen</translation>
    </message>
    <message>
        <source>Searching hyperparameters</source>
        <translation>Hyperparameter werden gesucht</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>Startwert (Seed)</translation>
    </message>
    <message>
        <source>Selected &amp;features only</source>
        <translation>Nur gewählte Ob&amp;jekte</translation>
    </message>
    <message>
        <source>Self-test</source>
        <translation>Selbsttest</translation>
    </message>
    <message>
        <source>Self-test passed.</source>
        <translation>Selbsttest bestanden.</translation>
    </message>
    <message>
        <source>Set &amp;up…</source>
        <translation>Einri&amp;chten…</translation>
    </message>
    <message>
        <source>Set it up again when convenient; until then the old packages are used.</source>
        <translation>Richten Sie sie bei Gelegenheit neu ein. Bis dahin werden die alten verwendet.</translation>
    </message>
    <message>
        <source>Set up</source>
        <translation>Einrichten</translation>
    </message>
    <message>
        <source>Set up HyperKD's engine</source>
        <translation>HyperKDs Engine einrichten</translation>
    </message>
    <message>
        <source>Set up engine</source>
        <translation>Engine einrichten</translation>
    </message>
    <message>
        <source>Set up the engine to begin; “First look” then shows what covers a scene.</source>
        <translation>Richten Sie zu Beginn die Engine ein; „Erster Blick“ zeigt dann, was eine Szene bedeckt.</translation>
    </message>
    <message>
        <source>Set-up log</source>
        <translation>Protokoll der Einrichtung</translation>
    </message>
    <message>
        <source>Several scenes to one class map</source>
        <translation>Mehrere Szenen zu einer Klassenkarte</translation>
    </message>
    <message>
        <source>Severe problems to accept</source>
        <translation>Schwere Probleme hinnehmen</translation>
    </message>
    <message>
        <source>Short-wave infrared (SWIR)</source>
        <translation>Kurzwelliges Infrarot (SWIR)</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>Zeigen</translation>
    </message>
    <message>
        <source>Show as</source>
        <translation>Zeigen als</translation>
    </message>
    <message>
        <source>Show log</source>
        <translation>Protokoll zeigen</translation>
    </message>
    <message>
        <source>Shows a model's input, output and accuracy.</source>
        <translation>Zeigt Eingabe, Ausgabe und Genauigkeit eines Modells.</translation>
    </message>
    <message>
        <source>Side of a patch (one token) in pixels: 4, 8 or 16. Default: the preset's.</source>
        <translation>Seite eines Patches (eines Tokens) in Pixeln: 4, 8 oder 16. Vorgabe: die der Größe.</translation>
    </message>
    <message>
        <source>Side of the blocks in pixels. Default: as large as the labels allow.</source>
        <translation>Seite der Blöcke in Pixeln. Vorgabe: so groß, wie die Label erlauben.</translation>
    </message>
    <message>
        <source>Side of the training tiles in pixels, a multiple of two patches. Default: the preset's.</source>
        <translation>Seite der Trainingskacheln in Pixeln, ein Vielfaches von zwei Patches. Vorgabe: die der Größe.</translation>
    </message>
    <message>
        <source>Similar places</source>
        <translation>Ähnliche Stellen</translation>
    </message>
    <message>
        <source>Similarity</source>
        <translation>Ähnlichkeit</translation>
    </message>
    <message>
        <source>Similarity threshold</source>
        <translation>Schwelle der Ähnlichkeit</translation>
    </message>
    <message>
        <source>Simulating</source>
        <translation>Es wird simuliert</translation>
    </message>
    <message>
        <source>Single pixels were held out: these scores are too high.</source>
        <translation>Einzelne Pixel wurden zurückgehalten: diese Werte sind zu hoch.</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>Größe</translation>
    </message>
    <message>
        <source>Size (bytes)</source>
        <translation>Größe (Bytes)</translation>
    </message>
    <message>
        <source>Size before (bytes)</source>
        <translation>Größe vorher (Bytes)</translation>
    </message>
    <message>
        <source>Size of the student</source>
        <translation>Größe des Studenten</translation>
    </message>
    <message>
        <source>Size of the student: tiny trains on a laptop, small and base are for a GPU, paper has the sizes known from the HyperKD paper.</source>
        <translation>Größe des Studenten: tiny lässt sich auf einem Laptop trainieren, small und base sind für eine GPU, paper hat die Größen, die aus dem HyperKD-Artikel bekannt sind.</translation>
    </message>
    <message>
        <source>Smaller ones are merged with what surrounds them.</source>
        <translation>Kleinere gehen in ihrer Umgebung auf.</translation>
    </message>
    <message>
        <source>Smallest polygon (pixels)</source>
        <translation>Kleinstes Polygon (Pixel)</translation>
    </message>
    <message>
        <source>Spectral library with the target</source>
        <translation>Spektralbibliothek mit dem Ziel</translation>
    </message>
    <message>
        <source>Spectral library with the target's spectrum (ENVI, text, USGS, ECOSTRESS, EnMAP-Box); library:name names one of several.</source>
        <translation>Spektralbibliothek mit dem Spektrum des Ziels (ENVI, Text, USGS, ECOSTRESS, EnMAP-Box); bibliothek:name benennt eines von mehreren.</translation>
    </message>
    <message>
        <source>Speed-up</source>
        <translation>Beschleunigung</translation>
    </message>
    <message>
        <source>Split: {scene}</source>
        <translation>Aufteilung: {scene}</translation>
    </message>
    <message>
        <source>Splitting the labels</source>
        <translation>Die Label werden aufgeteilt</translation>
    </message>
    <message>
        <source>St&amp;yle my labels like this</source>
        <translation>Meine Label so e&amp;infärben</translation>
    </message>
    <message>
        <source>Start the interrupted training a&amp;gain</source>
        <translation>&amp;Unterbrochenes Training neu beginnen</translation>
    </message>
    <message>
        <source>Starting the engine</source>
        <translation>Die Engine startet</translation>
    </message>
    <message>
        <source>Statistics</source>
        <translation>Statistik</translation>
    </message>
    <message>
        <source>Status</source>
        <translation>Zustand</translation>
    </message>
    <message>
        <source>Stop after this many validations without improvement, with the best student; 0: never.</source>
        <translation>Ende nach so vielen Validierungen ohne Verbesserung, mit dem besten Studenten; 0: nie.</translation>
    </message>
    <message>
        <source>Stop this run after so many hours, with the best student so far; resume continues it for as many hours again.</source>
        <translation>Ende dieses Laufs nach so vielen Stunden, mit dem bisher besten Studenten; resume setzt ihn noch einmal so viele Stunden fort.</translation>
    </message>
    <message>
        <source>Stopped early, with the best model so far.</source>
        <translation>Vorzeitig beendet, mit dem bisher besten Modell.</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>Wird beendet…</translation>
    </message>
    <message>
        <source>Stored value that means no data, instead of the file's.</source>
        <translation>Gespeicherter Wert, der keine Daten bedeutet, statt dessen der Datei.</translation>
    </message>
    <message>
        <source>Strata</source>
        <translation>Schichten</translation>
    </message>
    <message>
        <source>Student</source>
        <translation>Student</translation>
    </message>
    <message>
        <source>Student (name or .onnx file)</source>
        <translation>Student (Name oder .onnx-Datei)</translation>
    </message>
    <message>
        <source>Student to write</source>
        <translation>Zu schreibender Student</translation>
    </message>
    <message>
        <source>Student: embedding and reconstruction</source>
        <translation>Student: Einbettung und Rekonstruktion</translation>
    </message>
    <message>
        <source>Suggested threshold</source>
        <translation>Vorgeschlagene Schwelle</translation>
    </message>
    <message>
        <source>Suits the student</source>
        <translation>Passt zum Studenten</translation>
    </message>
    <message>
        <source>T&amp;eacher</source>
        <translation>L&amp;ehrer</translation>
    </message>
    <message>
        <source>Take every package from this folder and nothing from the network.</source>
        <translation>Jedes Paket aus diesem Ordner nehmen und nichts aus dem Netz.</translation>
    </message>
    <message>
        <source>Taken for DESIS L2A by the name {name}; there is no METADATA.xml.</source>
        <translation>Nach dem Namen {name} für DESIS L2A gehalten; eine METADATA.xml gibt es nicht.</translation>
    </message>
    <message>
        <source>Target</source>
        <translation>Zielgröße</translation>
    </message>
    <message>
        <source>Target marked in the scene</source>
        <translation>In der Szene markiertes Ziel</translation>
    </message>
    <message>
        <source>Targets</source>
        <translation>Zielgrößen</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>Aufgabe</translation>
    </message>
    <message>
        <source>Teacher</source>
        <translation>Lehrer</translation>
    </message>
    <message>
        <source>Teacher (feature distillation)</source>
        <translation>Lehrer (Merkmalsdestillation)</translation>
    </message>
    <message>
        <source>Teacher (none, a name or a file)</source>
        <translation>Lehrer (none, ein Name oder eine Datei)</translation>
    </message>
    <message>
        <source>Test pixels</source>
        <translation>Testpixel</translation>
    </message>
    <message>
        <source>Testing {name}</source>
        <translation>{name} wird getestet</translation>
    </message>
    <message>
        <source>Text of {name} is not UTF-8 and was read as Latin-1, for instance {example}.</source>
        <translation>Text von {name} ist kein UTF-8 und wurde als Latin-1 gelesen, zum Beispiel {example}.</translation>
    </message>
    <message>
        <source>The .onnx file to write.</source>
        <translation>Die .onnx-Datei, die geschrieben wird.</translation>
    </message>
    <message>
        <source>The .safetensors checkpoint of a student.</source>
        <translation>Der .safetensors-Checkpoint eines Studenten.</translation>
    </message>
    <message>
        <source>The GeoTIFF to write.</source>
        <translation>Das GeoTIFF, das geschrieben wird.</translation>
    </message>
    <message>
        <source>The HTML file to write.</source>
        <translation>Die HTML-Datei, die geschrieben wird.</translation>
    </message>
    <message>
        <source>The accuracy report is written beside the model. Test labels are not used for training, so the scores estimate accuracy at other places in these scenes.</source>
        <translation>Der Genauigkeitsbericht entsteht neben dem Modell. Testlabel werden nicht zum Training verwendet; so schätzen die Werte die Genauigkeit an anderen Orten dieser Szenen.</translation>
    </message>
    <message>
        <source>The anomaly mask to write (GeoTIFF): 1 as expected, 2 anomaly.</source>
        <translation>Die Anomaliemaske, die geschrieben wird (GeoTIFF): 1 wie erwartet, 2 Anomalie.</translation>
    </message>
    <message>
        <source>The anomaly score to write (GeoTIFF): the modified z-score of the reconstruction error, and that error.</source>
        <translation>Der Anomaliewert, der geschrieben wird (GeoTIFF): der modifizierte z-Wert des Rekonstruktionsfehlers, und dieser Fehler.</translation>
    </message>
    <message>
        <source>The applicability to write (GeoTIFF), where the model knows it: how like a pixel is to what the model learned from, from 0 (unlike) to 1; below 0.5 do not rely on its values.</source>
        <translation>Die Anwendbarkeit, die geschrieben wird (GeoTIFF), wo das Modell sie kennt: wie ähnlich ein Pixel dem ist, woraus das Modell gelernt hat, von 0 (unähnlich) bis 1; unter 0,5 verlassen Sie sich nicht auf seine Werte.</translation>
    </message>
    <message>
        <source>The certificate of the package index is not trusted.</source>
        <translation>Dem Zertifikat des Paketindex wird nicht vertraut.</translation>
    </message>
    <message>
        <source>The checkpoint to write (.safetensors); the ONNX student (.onnx) and the report (.html) are written beside it.</source>
        <translation>Der Checkpoint, der geschrieben wird (.safetensors); der ONNX-Student (.onnx) und der Bericht (.html) entstehen daneben.</translation>
    </message>
    <message>
        <source>The class field, or the numeric field of each target. Default: the only field.</source>
        <translation>Das Klassenfeld, oder das Zahlenfeld jeder Zielgröße. Vorgabe: das einzige Feld.</translation>
    </message>
    <message>
        <source>The class map to write (GeoTIFF) of the cover with the largest fraction, where the model gives fractions of covers.</source>
        <translation>Die Klassenkarte, die geschrieben wird (GeoTIFF): die Bedeckung mit dem größten Anteil, wo das Modell Anteile von Bedeckungen angibt.</translation>
    </message>
    <message>
        <source>The class probabilities to write (GeoTIFF, one band per class).</source>
        <translation>Die Klassenwahrscheinlichkeiten, die geschrieben werden (GeoTIFF, ein Kanal je Klasse).</translation>
    </message>
    <message>
        <source>The class, or a numeric field per target.</source>
        <translation>Die Klasse, oder ein Zahlenfeld je Zielgröße.</translation>
    </message>
    <message>
        <source>The cluster map to write (GeoTIFF): 1 to the number of clusters, 0 no data.</source>
        <translation>Die Clusterkarte, die geschrieben wird (GeoTIFF): 1 bis zur Zahl der Cluster, 0 keine Daten.</translation>
    </message>
    <message>
        <source>The connection broke; trying once more.</source>
        <translation>Die Verbindung ist abgerissen; ein weiterer Versuch.</translation>
    </message>
    <message>
        <source>The curves appear with the first steps.</source>
        <translation>Die Kurven erscheinen mit den ersten Schritten.</translation>
    </message>
    <message>
        <source>The detections to write (GeoTIFF): 1 background, 2 target.</source>
        <translation>Die Detektionen, die geschrieben werden (GeoTIFF): 1 Hintergrund, 2 Ziel.</translation>
    </message>
    <message>
        <source>The embedding raster to write (GeoTIFF).</source>
        <translation>Das Einbettungsraster, das geschrieben wird (GeoTIFF).</translation>
    </message>
    <message>
        <source>The engine cannot be used.</source>
        <translation>Die Engine lässt sich nicht verwenden.</translation>
    </message>
    <message>
        <source>The engine ended before it was done.</source>
        <translation>Die Engine endete, bevor sie fertig war.</translation>
    </message>
    <message>
        <source>The engine failed with an internal error (exit status {code}).</source>
        <translation>Die Engine ist an einem internen Fehler gescheitert (Exit-Status {code}).</translation>
    </message>
    <message>
        <source>The engine is not set up yet.</source>
        <translation>Die Engine ist noch nicht eingerichtet.</translation>
    </message>
    <message>
        <source>The engine is set up: {tiers}.</source>
        <translation>Die Engine ist eingerichtet: {tiers}.</translation>
    </message>
    <message>
        <source>The engine refused the job ({code}).</source>
        <translation>Die Engine hat den Auftrag abgelehnt ({code}).</translation>
    </message>
    <message>
        <source>The engine runs in your own Python.</source>
        <translation>Die Engine läuft in Ihrem eigenen Python.</translation>
    </message>
    <message>
        <source>The engine was killed (signal or code {code}). Most often the machine ran out of memory: choose fewer tiles at once, or close other programs.</source>
        <translation>Die Engine wurde von außen beendet (Signal oder Code {code}). Meist war der Arbeitsspeicher zu Ende: lassen Sie weniger Kacheln gleichzeitig rechnen, oder schließen Sie andere Programme.</translation>
    </message>
    <message>
        <source>The engine was removed; {size} are free again.</source>
        <translation>Die Engine ist entfernt; {size} sind wieder frei.</translation>
    </message>
    <message>
        <source>The engine works, but this version of HyperKD needs other packages.</source>
        <translation>Die Engine funktioniert, aber diese Version von HyperKD möchte andere Pakete.</translation>
    </message>
    <message>
        <source>The engine {version} speaks protocol {theirs}, which this plugin cannot read.</source>
        <translation>Die Engine {version} spricht Protokoll {theirs}, das dieses Plugin nicht lesen kann.</translation>
    </message>
    <message>
        <source>The engine's Python interpreter {python} could not be started.</source>
        <translation>Der Python-Interpreter der Engine {python} ließ sich nicht starten.</translation>
    </message>
    <message>
        <source>The engine's Python interpreter {python} could not be started: {reason}.</source>
        <translation>Der Python-Interpreter der Engine {python} ließ sich nicht starten: {reason}.</translation>
    </message>
    <message>
        <source>The engine's Python interpreter {python} does not exist.</source>
        <translation>Den Python-Interpreter der Engine {python} gibt es nicht.</translation>
    </message>
    <message>
        <source>The error matrix calls values of {share} of {pixels} invalid: they are left out.</source>
        <translation>Die Fehlermatrix nennt Werte in {share} ({pixels}) ungültig: diese Pixel werden ausgelassen.</translation>
    </message>
    <message>
        <source>The error raster to write: spectral angle in degrees and RMSE in reflectance.</source>
        <translation>Das Fehlerraster, das geschrieben wird: spektraler Winkel in Grad und RMSE als Reflexionsgrad.</translation>
    </message>
    <message>
        <source>The field that holds the class.</source>
        <translation>Das Feld, das die Klasse enthält.</translation>
    </message>
    <message>
        <source>The file declares no scale; its {type} values are taken as {meaning}, which is inferred: {numbers}.</source>
        <translation>Die Datei gibt keine Skalierung an; ihre Werte ({type}) werden als {meaning} gelesen, was nur erschlossen ist: {numbers}.</translation>
    </message>
    <message>
        <source>The file lacks {count} of the {all} bands of {model}, which knows how to do without.</source>
        <translation>Der Datei fehlen {count} der {all} Kanäle von {model}, das ohne sie auskommt.</translation>
    </message>
    <message>
        <source>The file of “{layer}” is gone: there is no {path}. Repair the layer's data source or open the raster again.</source>
        <translation>Die Datei von „{layer}“ ist weg: es gibt kein {path}. Reparieren Sie die Datenquelle des Layers, oder öffnen Sie das Raster neu.</translation>
    </message>
    <message>
        <source>The float32 model: the name of a shipped or stored model, or the path of an .onnx file.</source>
        <translation>Das float32-Modell: der Name eines mitgelieferten oder gesammelten Modells, oder der Pfad einer .onnx-Datei.</translation>
    </message>
    <message>
        <source>The folder of wheels has no {name} for this Python.</source>
        <translation>Der Ordner mit Wheels hat kein {name} für dieses Python.</translation>
    </message>
    <message>
        <source>The folder {folder}, which keeps the trainings, cannot be used: {reason}. Make it one that you may write to, or name another one in the environment variable HYPERKD_JOBS and start QGIS again.</source>
        <translation>Der Ordner {folder}, in dem die Trainings liegen, kann nicht verwendet werden: {reason}. Sorgen Sie dafür, dass Sie in ihn schreiben dürfen, oder nennen Sie in der Umgebungsvariable HYPERKD_JOBS einen anderen und starten Sie QGIS neu.</translation>
    </message>
    <message>
        <source>The folder, zip, tar.gz or METADATA.XML of EnMAP or DESIS L2A, a PRISMA L2D .he5, an EMIT L2A .nc, a Tanager surface reflectance .h5, or any raster or netCDF file with wavelengths.</source>
        <translation>Ordner, Zip, tar.gz oder METADATA.XML von EnMAP oder DESIS L2A, eine PRISMA-L2D-.he5, eine EMIT-L2A-.nc, eine .h5 mit Oberflächenreflexion von Tanager, oder jedes Raster oder jede netCDF-Datei mit Wellenlängen.</translation>
    </message>
    <message>
        <source>The fractions of all covers to write (GeoTIFF, one band per cover).</source>
        <translation>Die zu schreibenden Anteile aller Bedeckungen (GeoTIFF, ein Kanal je Bedeckung).</translation>
    </message>
    <message>
        <source>The hyperspectral raster to read.</source>
        <translation>Das hyperspektrale Raster, das gelesen wird.</translation>
    </message>
    <message>
        <source>The hyperspectral rasters or products to train on; no labels are needed.</source>
        <translation>Die hyperspektralen Raster oder Produkte, auf denen trainiert wird; Label sind nicht nötig.</translation>
    </message>
    <message>
        <source>The hyperspectral rasters to read.</source>
        <translation>Die hyperspektralen Raster, die gelesen werden.</translation>
    </message>
    <message>
        <source>The interpreter {path}, which was chosen to run HyperKD's engine, does not exist. Choose another one under Plugins › HyperKD › Engine…</source>
        <translation>Den Interpreter {path}, der für HyperKDs Engine gewählt wurde, gibt es nicht. Wählen Sie einen anderen unter Erweiterungen › HyperKD › Engine…</translation>
    </message>
    <message>
        <source>The labels that the model was trained on: classical models are trained on them and compared with it.</source>
        <translation>Die Label, auf denen das Modell trainiert wurde: klassische Modelle werden auf ihnen trainiert und mit ihm verglichen.</translation>
    </message>
    <message>
        <source>The labels that the model was trained on; classical models are trained on them too.</source>
        <translation>Die Label, mit denen das Modell trainiert wurde; klassische Modelle werden auch damit trainiert.</translation>
    </message>
    <message>
        <source>The log above has the details.</source>
        <translation>Das Protokoll oben enthält die Einzelheiten.</translation>
    </message>
    <message>
        <source>The log above names it. A newer system, or QGIS from conda-forge, has it.</source>
        <translation>Das Protokoll oben nennt sie. Ein neueres System, oder QGIS von conda-forge, hat sie.</translation>
    </message>
    <message>
        <source>The log of the set-up appears here.</source>
        <translation>Hier erscheint das Protokoll der Einrichtung.</translation>
    </message>
    <message>
        <source>The map to write (GeoTIFF): classes as uint8, or values as float32.</source>
        <translation>Die Karte, die geschrieben wird (GeoTIFF): Klassen als uint8, oder Werte als float32.</translation>
    </message>
    <message>
        <source>The matrix of {count} classes is in the report.</source>
        <translation>Die Matrix von {count} Klassen steht im Bericht.</translation>
    </message>
    <message>
        <source>The model is in the store as “{name}”.</source>
        <translation>Das Modell ist als „{name}“ in der Sammlung.</translation>
    </message>
    <message>
        <source>The model to write (.onnx); its checkpoint (.safetensors) is written beside it.</source>
        <translation>Das Modell, das geschrieben wird (.onnx); sein Checkpoint (.safetensors) entsteht daneben.</translation>
    </message>
    <message>
        <source>The model {path} cannot be read.</source>
        <translation>Das Modell {path} lässt sich nicht lesen.</translation>
    </message>
    <message>
        <source>The name of a shipped or stored model, or a file.</source>
        <translation>Der Name eines mitgelieferten oder gesammelten Modells, oder eine Datei.</translation>
    </message>
    <message>
        <source>The nodata value {value} cannot occur in {type} and is ignored.</source>
        <translation>Der Nodata-Wert {value} kann in {type} nicht vorkommen und wird nicht beachtet.</translation>
    </message>
    <message>
        <source>The old environment {folder} cannot be removed yet.</source>
        <translation>Die alte Umgebung {folder} lässt sich noch nicht entfernen.</translation>
    </message>
    <message>
        <source>The old environment {folder} is still in use.</source>
        <translation>Die alte Umgebung {folder} ist noch in Gebrauch.</translation>
    </message>
    <message>
        <source>The package index cannot be reached, or the connection broke.</source>
        <translation>Der Paketindex ist nicht erreichbar, oder die Verbindung ist abgerissen.</translation>
    </message>
    <message>
        <source>The package index has a build for NVIDIA GPUs instead, about {download} GB to download and {disk} GB on the disk; nothing of it was fetched.</source>
        <translation>Der Paketindex hat stattdessen eine Fassung für NVIDIA-GPUs, etwa {download} GB zum Herunterladen und {disk} GB auf der Platte; davon wurde nichts geholt.</translation>
    </message>
    <message>
        <source>The package index has no {name} for this Python, or does not answer.</source>
        <translation>Der Paketindex hat kein {name} für dieses Python, oder er antwortet nicht.</translation>
    </message>
    <message>
        <source>The picture of the fractions to write (GeoTIFF): three sums of fractions, to be shown as red, green and blue; each cover counts in the band that its own colour is strongest in.</source>
        <translation>Das zu schreibende Bild der Anteile (GeoTIFF): drei Summen von Anteilen, die als Rot, Grün und Blau gezeigt werden; jede Bedeckung zählt in dem Kanal, in dem ihre eigene Farbe am stärksten ist.</translation>
    </message>
    <message>
        <source>The plugin's engine is missing: there is no {path}. Install the plugin again.</source>
        <translation>Die Engine des Plugins fehlt: es gibt kein {path}. Installieren Sie das Plugin neu.</translation>
    </message>
    <message>
        <source>The prediction of the current model; with folds, of one of several. The final map may differ.</source>
        <translation>Die Vorhersage des jetzigen Modells; bei Kreuzvalidierung eines von mehreren. Die endgültige Karte kann abweichen.</translation>
    </message>
    <message>
        <source>The preview appears here.</source>
        <translation>Die Vorschau erscheint hier.</translation>
    </message>
    <message>
        <source>The processor, or an NVIDIA GPU.</source>
        <translation>Der Prozessor, oder eine NVIDIA-GPU.</translation>
    </message>
    <message>
        <source>The proxy is a SOCKS proxy, which pip cannot use.</source>
        <translation>Der Proxy ist ein SOCKS-Proxy, den pip nicht verwenden kann.</translation>
    </message>
    <message>
        <source>The proxy refused or did not answer.</source>
        <translation>Der Proxy hat abgelehnt oder nicht geantwortet.</translation>
    </message>
    <message>
        <source>The proxy requires a user name and a password.</source>
        <translation>Der Proxy verlangt Benutzername und Passwort.</translation>
    </message>
    <message>
        <source>The raster has no coordinate reference system.</source>
        <translation>Das Raster hat kein Koordinatenreferenzsystem.</translation>
    </message>
    <message>
        <source>The raster has no geotransform; its outputs have none either.</source>
        <translation>Das Raster hat keine Geotransformation; seine Ausgaben haben auch keine.</translation>
    </message>
    <message>
        <source>The raster has {count} ground control points instead of a grid; they are copied, nothing is rectified.</source>
        <translation>Das Raster hat {count} Passpunkte statt eines Gitters; sie werden übernommen, entzerrt wird nichts.</translation>
    </message>
    <message>
        <source>The raster is rotated or sheared; its geotransform is copied as it is.</source>
        <translation>Das Raster ist gedreht oder geschert; seine Geotransformation wird unverändert übernommen.</translation>
    </message>
    <message>
        <source>The raster is south-up; its geotransform is copied as it is.</source>
        <translation>Das Raster beginnt im Süden; seine Geotransformation wird unverändert übernommen.</translation>
    </message>
    <message>
        <source>The raster {source} cannot be opened. Check that the file exists and is a raster.</source>
        <translation>Das Raster {source} lässt sich nicht öffnen. Prüfen Sie, ob die Datei existiert und ein Raster ist.</translation>
    </message>
    <message>
        <source>The rasters of the training labels. Default: the rasters that are evaluated.</source>
        <translation>Die Raster der Trainingslabel. Vorgabe: die Raster, die geprüft werden.</translation>
    </message>
    <message>
        <source>The reconstructed reflectance to write (GeoTIFF, int16 x 10000, the student's bands).</source>
        <translation>Der rekonstruierte Reflexionsgrad, der geschrieben wird (GeoTIFF, int16 x 10000, die Kanäle des Studenten).</translation>
    </message>
    <message>
        <source>The report to write (HTML).</source>
        <translation>Der Bericht, der geschrieben wird (HTML).</translation>
    </message>
    <message>
        <source>The report's page</source>
        <translation>Die Seite des Berichts</translation>
    </message>
    <message>
        <source>The restored raster to write, in the type and scale of the input.</source>
        <translation>Zu schreibendes ausgebessertes Raster, in Datentyp und Skalierung der Eingabe.</translation>
    </message>
    <message>
        <source>The scene.</source>
        <translation>Die Szene.</translation>
    </message>
    <message>
        <source>The scenes have different bands, so there are no spectra and no classical models.</source>
        <translation>Die Szenen haben verschiedene Bänder, daher gibt es weder Spektren noch klassische Modelle.</translation>
    </message>
    <message>
        <source>The scenes have different bands, so there are no spectra.</source>
        <translation>Die Szenen haben verschiedene Kanäle, darum gibt es keine Spektren.</translation>
    </message>
    <message>
        <source>The scenes have different bands: no classical model is written.</source>
        <translation>Die Szenen haben verschiedene Bänder: es wird kein klassisches Modell geschrieben.</translation>
    </message>
    <message>
        <source>The scenes to train on.</source>
        <translation>Die Szenen, mit denen trainiert wird.</translation>
    </message>
    <message>
        <source>The scores appear here when the training has ended.</source>
        <translation>Die Kennzahlen erscheinen hier, wenn das Training zu Ende ist.</translation>
    </message>
    <message>
        <source>The scores to write (GeoTIFF): 1 is the target in ace, mf and cem; sam is an angle in degrees.</source>
        <translation>Die Werte, die geschrieben werden (GeoTIFF): 1 ist das Ziel bei ace, mf und cem; sam ist ein Winkel in Grad.</translation>
    </message>
    <message>
        <source>The similarity to write (GeoTIFF), from -1 to 1, where 1 is identical.</source>
        <translation>Die Ähnlichkeit, die geschrieben wird (GeoTIFF), von -1 bis 1, wobei 1 identisch ist.</translation>
    </message>
    <message>
        <source>The six-band raster to write (int16 x 10000).</source>
        <translation>Das Raster aus sechs Kanälen, das geschrieben wird (int16 x 10000).</translation>
    </message>
    <message>
        <source>The split keeps whole blocks together.</source>
        <translation>Die Aufteilung hält ganze Blöcke zusammen.</translation>
    </message>
    <message>
        <source>The split keeps whole features together.</source>
        <translation>Die Aufteilung hält ganze Objekte zusammen.</translation>
    </message>
    <message>
        <source>The split keeps whole scenes together.</source>
        <translation>Die Aufteilung hält ganze Szenen zusammen.</translation>
    </message>
    <message>
        <source>The split separates single pixels: scores will be too high.</source>
        <translation>Die Aufteilung trennt einzelne Pixel: die Werte werden zu hoch sein.</translation>
    </message>
    <message>
        <source>The standard error to write (GeoTIFF, one band) of the largest fraction.</source>
        <translation>Der zu schreibende Standardfehler (GeoTIFF, ein Kanal) des größten Anteils.</translation>
    </message>
    <message>
        <source>The student is in the store as “{name}”.</source>
        <translation>Der Student ist als „{name}“ in der Sammlung.</translation>
    </message>
    <message>
        <source>The student to start from, or the path of a checkpoint.</source>
        <translation>Der Student, von dem ausgegangen wird, oder der Pfad eines Checkpoints.</translation>
    </message>
    <message>
        <source>The student to start from: the name of a model, a checkpoint (.safetensors), or scratch (also scratch:small, scratch:base) for random weights.</source>
        <translation>Der Student, mit dem begonnen wird: der Name eines Modells, ein Checkpoint (.safetensors), oder scratch (auch scratch:small, scratch:base) für zufällige Gewichte.</translation>
    </message>
    <message>
        <source>The teacher: the name of a stored one, its published .pt file, a stand-in teacher (.safetensors), or none for a plain masked autoencoder.</source>
        <translation>Der Lehrer: der Name eines gesammelten, seine veröffentlichte .pt-Datei, ein Ersatzlehrer (.safetensors), oder none für einen einfachen maskierten Autoencoder.</translation>
    </message>
    <message>
        <source>The text in the field {name} of {layer} was read as numbers.</source>
        <translation>Der Text im Feld {name} von {layer} wurde als Zahlen gelesen.</translation>
    </message>
    <message>
        <source>The texts in {where} look like numbers with decimal commas ({some}), but count as names of classes; text is never turned into a number.</source>
        <translation>Die Texte in {where} sehen wie Zahlen mit Dezimalkomma aus ({some}), zählen aber als Namen von Klassen; aus Text wird nie eine Zahl.</translation>
    </message>
    <message>
        <source>The training goes on when this window, or QGIS, is closed.</source>
        <translation>Das Training geht weiter, wenn dieses Fenster oder QGIS geschlossen wird.</translation>
    </message>
    <message>
        <source>The uncertainty to write (GeoTIFF): of classes the margin between the two most probable ones and the entropy of all, of values their standard error where the model knows it.</source>
        <translation>Die Unsicherheit, die geschrieben wird (GeoTIFF): bei Klassen der Abstand zwischen den beiden wahrscheinlichsten und die Entropie aller, bei Werten deren Standardfehler, wo das Modell ihn kennt.</translation>
    </message>
    <message>
        <source>The values seem to be counts of a detector, not reflectance: {said}.</source>
        <translation>Die Werte scheinen Rohwerte eines Detektors zu sein, kein Reflexionsgrad: {said}.</translation>
    </message>
    <message>
        <source>The {detector} detector holds nothing but 0 in {share} of {pixels}: they are left out.</source>
        <translation>Der Detektor {detector} enthält in {share} ({pixels}) nur 0: diese Pixel werden ausgelassen.</translation>
    </message>
    <message>
        <source>The {percentile}th percentile of bright bands is a reflectance of {value}: snow or clouds under a low sun, or no reflectance at all.</source>
        <translation>Das {percentile}. Perzentil heller Kanäle ist ein Reflexionsgrad von {value}: Schnee oder Wolken bei tiefer Sonne, oder gar kein Reflexionsgrad.</translation>
    </message>
    <message>
        <source>The {where} says {text}: {kind}, but the numbers look like reflectance ({numbers}).</source>
        <translation>{where}: {text} ({kind}); die Zahlen sehen aber nach Reflexionsgrad aus ({numbers}).</translation>
    </message>
    <message>
        <source>There are no labels to split.</source>
        <translation>Es gibt keine Label aufzuteilen.</translation>
    </message>
    <message>
        <source>There is no band table {path}. Choose a CSV file, or write enmap.</source>
        <translation>Es gibt keine Kanaltabelle {path}. Wählen Sie eine CSV-Datei, oder schreiben Sie enmap.</translation>
    </message>
    <message>
        <source>There is no file {path}.</source>
        <translation>Es gibt keine Datei {path}.</translation>
    </message>
    <message>
        <source>There is no folder {path}.</source>
        <translation>Es gibt keinen Ordner {path}.</translation>
    </message>
    <message>
        <source>There is no model {path}. Choose an .onnx file or a name.</source>
        <translation>Es gibt kein Modell {path}. Wählen Sie eine .onnx-Datei oder einen Namen.</translation>
    </message>
    <message>
        <source>There is no model “{name}”. There are: {known}.</source>
        <translation>Es gibt kein Modell „{name}“. Es gibt: {known}.</translation>
    </message>
    <message>
        <source>There is no model “{name}”. There are: {known}. More are under Plugins › HyperKD › Models…, or choose an .onnx file.</source>
        <translation>Es gibt kein Modell „{name}“. Es gibt: {known}. Mehr davon unter Erweiterungen › HyperKD › Modelle…, oder wählen Sie eine .onnx-Datei.</translation>
    </message>
    <message>
        <source>There is no product {path}. Choose its file, or write its folder's path.</source>
        <translation>Es gibt kein Produkt {path}. Wählen Sie seine Datei, oder schreiben Sie den Pfad seines Ordners.</translation>
    </message>
    <message>
        <source>There is no space left on the disk.</source>
        <translation>Auf der Platte ist kein Platz mehr.</translation>
    </message>
    <message>
        <source>There is no training pixel of {classes}: no classical model is written.</source>
        <translation>Kein Trainingspixel ist {classes}: es wird kein klassisches Modell geschrieben.</translation>
    </message>
    <message>
        <source>There is nothing to remove in {folder}.</source>
        <translation>In {folder} gibt es nichts zu entfernen.</translation>
    </message>
    <message>
        <source>They are saved beside the model. Where one is better, it can map the scenes instead.</source>
        <translation>Sie werden neben dem Modell gespeichert. Ist eines besser, kann es die Szenen statt seiner kartieren.</translation>
    </message>
    <message>
        <source>They are taken as reflectance.</source>
        <translation>Sie werden als Reflexionsgrad gelesen.</translation>
    </message>
    <message>
        <source>They would fit reflectance x 1000 ({value}) as well.</source>
        <translation>Sie passten auch zu Reflexionsgrad x 1000 ({value}).</translation>
    </message>
    <message>
        <source>This interpreter can run HyperKD.</source>
        <translation>Mit diesem Interpreter läuft HyperKD.</translation>
    </message>
    <message>
        <source>This interpreter cannot run HyperKD yet.</source>
        <translation>Mit diesem Interpreter läuft HyperKD noch nicht.</translation>
    </message>
    <message>
        <source>This training has not written the model. Train again to get it as a file.</source>
        <translation>Dieses Training hat das Modell nicht geschrieben. Ein neues Training schreibt es als Datei.</translation>
    </message>
    <message>
        <source>This version of HyperKD needs other packages for its engine.</source>
        <translation>Diese Version von HyperKD möchte andere Pakete für ihre Engine.</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Schwelle</translation>
    </message>
    <message>
        <source>Tick at least one scene.</source>
        <translation>Kreuzen Sie mindestens eine Szene an.</translation>
    </message>
    <message>
        <source>Tile</source>
        <translation>Kachel</translation>
    </message>
    <message>
        <source>Tile size (pixels)</source>
        <translation>Kachelgröße (Pixel)</translation>
    </message>
    <message>
        <source>Tiles computed</source>
        <translation>Gerechnete Kacheln</translation>
    </message>
    <message>
        <source>Tiles computed at once</source>
        <translation>Gleichzeitig gerechnete Kacheln</translation>
    </message>
    <message>
        <source>Tiles computed at once. Default: 1 on a CPU, where every core computes a tile of its own, else 8. The result does not depend on it.</source>
        <translation>Gleichzeitig gerechnete Kacheln. Vorgabe: 1 auf einer CPU, wo jeder Kern seine eigene Kachel rechnet, sonst 8. Das Ergebnis hängt nicht davon ab.</translation>
    </message>
    <message>
        <source>Tiles computed at once; fewer need less memory and give the same student except for rounding. Default: the preset's.</source>
        <translation>Gleichzeitig gerechnete Kacheln; weniger brauchen weniger Speicher und geben bis auf Rundung denselben Studenten. Vorgabe: die der Größe.</translation>
    </message>
    <message>
        <source>Tiles per raster</source>
        <translation>Kacheln je Raster</translation>
    </message>
    <message>
        <source>Tiles per training step. Default: the preset's.</source>
        <translation>Kacheln je Trainingsschritt. Vorgabe: die der Größe.</translation>
    </message>
    <message>
        <source>Tiles without data</source>
        <translation>Kacheln ohne Daten</translation>
    </message>
    <message>
        <source>To run models</source>
        <translation>Um Modelle anzuwenden</translation>
    </message>
    <message>
        <source>Too few groups of labels for an interval ({count}; it takes {least}).</source>
        <translation>Zu wenige Gruppen von Labeln für ein Intervall ({count}; nötig sind {least}).</translation>
    </message>
    <message>
        <source>Too few groups of labels of {name} for an interval ({count}; it takes {least}).</source>
        <translation>Zu wenige Gruppen von Labeln für {name} für ein Intervall ({count}; nötig sind {least}).</translation>
    </message>
    <message>
        <source>Train</source>
        <translation>Trainieren</translation>
    </message>
    <message>
        <source>Train classical models on the raw spectra too, and compare them on the same pixels.</source>
        <translation>Auch klassische Modelle auf den rohen Spektren trainieren und auf denselben Pixeln vergleichen.</translation>
    </message>
    <message>
        <source>Train the final model on all labels</source>
        <translation>Das endgültige Modell mit allen Labeln trainieren</translation>
    </message>
    <message>
        <source>Trained</source>
        <translation>Trainiert</translation>
    </message>
    <message>
        <source>Training</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Training and test labels are only 1 pixel apart ({wanted} would be safer, but too few labels would remain).</source>
        <translation>Trainings- und Testlabel liegen nur 1 Pixel auseinander ({wanted} wären sicherer, aber es blieben zu wenige Label).</translation>
    </message>
    <message>
        <source>Training and test labels are only {pixels} pixels apart ({wanted} would be safer, but too few labels would remain).</source>
        <translation>Trainings- und Testlabel liegen nur {pixels} Pixel auseinander ({wanted} wären sicherer, aber es blieben zu wenige Label).</translation>
    </message>
    <message>
        <source>Training and test labels may lie side by side ({wanted} would be safer, but too few labels would remain).</source>
        <translation>Trainings- und Testlabel können nebeneinander liegen ({wanted} Pixel Abstand wären sicherer, aber es blieben zu wenige Label).</translation>
    </message>
    <message>
        <source>Training classical models</source>
        <translation>Klassische Modelle werden trainiert</translation>
    </message>
    <message>
        <source>Training curves</source>
        <translation>Trainingskurven</translation>
    </message>
    <message>
        <source>Training labels</source>
        <translation>Trainingslabel</translation>
    </message>
    <message>
        <source>Training log</source>
        <translation>Trainingsprotokoll</translation>
    </message>
    <message>
        <source>Training the classical models to write</source>
        <translation>Die klassischen Modelle werden zum Schreiben trainiert</translation>
    </message>
    <message>
        <source>Training the encoder</source>
        <translation>Der Encoder wird trainiert</translation>
    </message>
    <message>
        <source>Training the final model on all labels.</source>
        <translation>Das endgültige Modell wird auf allen Labeln trainiert.</translation>
    </message>
    <message>
        <source>Training the head</source>
        <translation>Der Kopf wird trainiert</translation>
    </message>
    <message>
        <source>Training time at most.</source>
        <translation>Längste Trainingszeit.</translation>
    </message>
    <message>
        <source>Trains a student on unlabelled scenes, with or without a teacher.</source>
        <translation>Trainiert einen Studenten auf Szenen ohne Label, mit oder ohne Lehrer.</translation>
    </message>
    <message>
        <source>Trains a tiny student on unlabelled scenes for some hours, exports it, and quantises it.</source>
        <translation>Trainiert einige Stunden lang einen kleinen Studenten auf Szenen ohne Label, exportiert und quantisiert ihn.</translation>
    </message>
    <message>
        <source>Try again. If it happens again, something in the network changes the files.</source>
        <translation>Versuchen Sie es erneut; geschieht es wieder, verändert etwas unterwegs die Dateien.</translation>
    </message>
    <message>
        <source>Try again: what was downloaded is kept.</source>
        <translation>Versuchen Sie es erneut: was schon geladen ist, bleibt erhalten.</translation>
    </message>
    <message>
        <source>Uncertainty</source>
        <translation>Unsicherheit</translation>
    </message>
    <message>
        <source>Unit of each target, in the order of the fields.</source>
        <translation>Einheit jeder Zielgröße, in der Reihenfolge der Felder.</translation>
    </message>
    <message>
        <source>Units of targets (unit; …)</source>
        <translation>Einheiten der Zielgrößen (Einheit; …)</translation>
    </message>
    <message>
        <source>Unreadable blocks</source>
        <translation>Unlesbare Blöcke</translation>
    </message>
    <message>
        <source>Use a folder of wheels, or an interpreter that you already have.</source>
        <translation>Verwenden Sie einen Ordner mit Wheels, oder einen Interpreter, den Sie schon haben.</translation>
    </message>
    <message>
        <source>Use an interpreter that you already have.</source>
        <translation>Verwenden Sie einen Interpreter, den Sie schon haben.</translation>
    </message>
    <message>
        <source>User's accuracy</source>
        <translation>Nutzergenauigkeit</translation>
    </message>
    <message>
        <source>Values below {value} that are not 0 are taken as nodata.</source>
        <translation>Werte unter {value}, die nicht 0 sind, gelten als Nodata.</translation>
    </message>
    <message>
        <source>Values of the labels that mean no label, for instance -9999 or unknown; no other is then left out. Default: what certainly means none (n/a, null, -9999 far from the others).</source>
        <translation>Werte der Label, die kein Label bedeuten, etwa -9999 oder unbekannt; kein anderer wird dann weggelassen. Vorgabe: was sicher keines bedeutet (n/a, null, -9999 weit von den anderen).</translation>
    </message>
    <message>
        <source>Values predicted from the scene</source>
        <translation>Aus der Szene vorhergesagte Werte</translation>
    </message>
    <message>
        <source>Values that mean no label (value; …)</source>
        <translation>Werte, die kein Label bedeuten (Wert; …)</translation>
    </message>
    <message>
        <source>Verifying {name}</source>
        <translation>{name} wird geprüft</translation>
    </message>
    <message>
        <source>Weakest class, {name}: {right} of its {pixels} test pixels are mapped as {name}</source>
        <translation>Schwächste Klasse, {name}: {right} ihrer {pixels} Testpixel sind als {name} kartiert</translation>
    </message>
    <message>
        <source>Weight of SSIM</source>
        <translation>Gewicht von SSIM</translation>
    </message>
    <message>
        <source>Weight of rare classes</source>
        <translation>Gewicht seltener Klassen</translation>
    </message>
    <message>
        <source>Weight of rare classes: by their frequency (none), by its square root (sqrt), all classes equal (balanced), or chosen by cross-validation (auto).</source>
        <translation>Gewicht seltener Klassen: nach ihrer Häufigkeit (none), nach deren Wurzel (sqrt), alle Klassen gleich (balanced), oder durch Kreuzvalidierung gewählt (auto).</translation>
    </message>
    <message>
        <source>Weight of structural similarity: its gradient relative to that of the squared error.</source>
        <translation>Gewicht der strukturellen Ähnlichkeit: ihr Gradient im Verhältnis zu dem des quadratischen Fehlers.</translation>
    </message>
    <message>
        <source>Weight of the distance to the teacher's features, likewise.</source>
        <translation>Gewicht des Abstands zu den Merkmalen des Lehrers, ebenso.</translation>
    </message>
    <message>
        <source>Weight of the distance to the teacher's features.</source>
        <translation>Gewicht des Abstands zu den Merkmalen des Lehrers.</translation>
    </message>
    <message>
        <source>Weight of the divergence of spectra, likewise.</source>
        <translation>Gewicht der Divergenz der Spektren, ebenso.</translation>
    </message>
    <message>
        <source>Weight of the earlier model</source>
        <translation>Gewicht des früheren Modells</translation>
    </message>
    <message>
        <source>Weight of the first difference of spectra, likewise.</source>
        <translation>Gewicht der ersten Differenz der Spektren, ebenso.</translation>
    </message>
    <message>
        <source>Weight of the spectral angle</source>
        <translation>Gewicht des spektralen Winkels</translation>
    </message>
    <message>
        <source>Weight of the spectral angle, likewise.</source>
        <translation>Gewicht des spektralen Winkels, ebenso.</translation>
    </message>
    <message>
        <source>Weight of the spectral divergence</source>
        <translation>Gewicht der spektralen Divergenz</translation>
    </message>
    <message>
        <source>Weight of the spectral slope</source>
        <translation>Gewicht der spektralen Steigung</translation>
    </message>
    <message>
        <source>Weight of the teacher</source>
        <translation>Gewicht des Lehrers</translation>
    </message>
    <message>
        <source>Weighted F1</source>
        <translation>Gewichteter F1</translation>
    </message>
    <message>
        <source>Weighted IoU</source>
        <translation>Gewichteter IoU</translation>
    </message>
    <message>
        <source>Wh&amp;at is trained</source>
        <translation>W&amp;as trainiert wird</translation>
    </message>
    <message>
        <source>What is kept together when labels are held out for the test: polygons, blocks or scenes; auto chooses; random takes single pixels, whose score is optimistic.</source>
        <translation>Was zusammenbleibt, wenn Label für den Test zurückgehalten werden: polygons, blocks oder scenes; auto wählt selbst; random nimmt einzelne Pixel, deren Ergebnis zu gut ist.</translation>
    </message>
    <message>
        <source>What is trained</source>
        <translation>Was trainiert wird</translation>
    </message>
    <message>
        <source>What is trained besides the head: nothing (frozen), the last blocks, low-rank adapters, or the full encoder; auto is frozen, or full for random weights.</source>
        <translation>Was außer dem Kopf trainiert wird: nichts (frozen), die letzten Blöcke, Adapter niedrigen Rangs, oder der ganze Encoder; auto ist frozen, bei zufälligen Gewichten full.</translation>
    </message>
    <message>
        <source>What maps the student's features to the teacher's width: a linear layer, or nothing.</source>
        <translation>Was die Merkmale des Studenten auf die Breite des Lehrers abbildet: eine lineare Schicht, oder nichts.</translation>
    </message>
    <message>
        <source>What the colours mean</source>
        <translation>Was die Farben bedeuten</translation>
    </message>
    <message>
        <source>What the labels hold: classes, or one or more quantities.</source>
        <translation>Was die Label enthalten: Klassen, oder eine oder mehrere Größen.</translation>
    </message>
    <message>
        <source>What the teacher takes as input: the patches that the student sees, the full tile, or the full tile with its features cached on disk (tiles then come from a grid).</source>
        <translation>Was der Lehrer als Eingabe bekommt: die Patches, die der Student sieht, die ganze Kachel, oder die ganze Kachel mit zwischengespeicherten Merkmalen (Kacheln kommen dann aus einem Raster).</translation>
    </message>
    <message>
        <source>What to do where the raster cannot be read: fail, or write these blocks as nodata.</source>
        <translation>Was geschieht, wo das Raster nicht lesbar ist: abbrechen (fail), oder diese Blöcke als nodata schreiben.</translation>
    </message>
    <message>
        <source>What was done, one sentence per line</source>
        <translation>Was getan wurde, ein Satz je Zeile</translation>
    </message>
    <message>
        <source>Where</source>
        <translation>Wo</translation>
    </message>
    <message>
        <source>Where it means none, declare it: label_nodata {value}.</source>
        <translation>Wenn es keines ist, {value} unter „Werte, die kein Label bedeuten“ (label_nodata) angeben.</translation>
    </message>
    <message>
        <source>Where models come from</source>
        <translation>Woher Modelle kommen</translation>
    </message>
    <message>
        <source>Where pixels are kept: in memory, in a cache on disk, or in their files; auto takes memory for the first 2 GiB, then the cache.</source>
        <translation>Wo Pixel gehalten werden: im Arbeitsspeicher, in einem Zwischenspeicher auf der Platte, oder in ihren Dateien; auto nimmt für die ersten 2 GiB den Arbeitsspeicher, dann den Zwischenspeicher.</translation>
    </message>
    <message>
        <source>Where that is wrong, give label_nodata the values that mean no label: no other is then left out.</source>
        <translation>Wenn das falsch ist, unter „Werte, die kein Label bedeuten“ (label_nodata) die richtigen angeben: Dann wird kein anderer weggelassen.</translation>
    </message>
    <message>
        <source>Where the smaller model is computed in the comparison; only a GPU shows what float16 loses there.</source>
        <translation>Wo das kleinere Modell im Vergleich gerechnet wird; nur eine GPU zeigt, was float16 dort verliert.</translation>
    </message>
    <message>
        <source>Where to compute: auto takes a GPU only where it passes the model's self-test and is faster than the CPU.</source>
        <translation>Wo gerechnet wird: auto nimmt eine GPU nur, wo sie den Selbsttest des Modells besteht und schneller ist als die CPU.</translation>
    </message>
    <message>
        <source>Where to train: auto takes a GPU where PyTorch finds one.</source>
        <translation>Wo trainiert wird: auto nimmt eine GPU, wo PyTorch eine findet.</translation>
    </message>
    <message>
        <source>Which scene? Select its layer, or choose it in the dialog.</source>
        <translation>Welche Szene? Wählen Sie ihren Layer, oder wählen Sie sie im Dialog.</translation>
    </message>
    <message>
        <source>With a teacher a step takes longer; its file stays on this machine.</source>
        <translation>Mit einem Lehrer dauert ein Schritt länger; seine Datei bleibt auf dieser Maschine.</translation>
    </message>
    <message>
        <source>With so few its error on simulated spectra is {factor} times as large.</source>
        <translation>Mit so wenigen ist sein Fehler an simulierten Spektren {factor}-mal so groß.</translation>
    </message>
    <message>
        <source>Workflows</source>
        <translation>Abläufe</translation>
    </message>
    <message>
        <source>Write the baselines too</source>
        <translation>Auch die klassischen Modelle schreiben</translation>
    </message>
    <message>
        <source>Write the classical models too, as ONNX files beside the model; they are trained on the same labels and map scenes as the model does.</source>
        <translation>Auch die klassischen Modelle schreiben, als ONNX-Dateien neben dem Modell; sie werden auf denselben Labeln trainiert und kartieren Szenen wie das Modell.</translation>
    </message>
    <message>
        <source>Writes a student's embedding: learned features of each pixel and its surroundings.</source>
        <translation>Schreibt die Einbettung eines Studenten: gelernte Merkmale jedes Pixels und seiner Umgebung.</translation>
    </message>
    <message>
        <source>Writes an EnMAP, PRISMA, EMIT, DESIS or Tanager product as one self-describing GeoTIFF.</source>
        <translation>Schreibt ein Produkt von EnMAP, PRISMA, EMIT, DESIS oder Tanager als ein GeoTIFF, das sich selbst beschreibt.</translation>
    </message>
    <message>
        <source>Writes the student or model of a checkpoint as an ONNX file that runs anywhere.</source>
        <translation>Schreibt den Studenten oder das Modell eines Checkpoints als ONNX-Datei, die überall läuft.</translation>
    </message>
    <message>
        <source>Writing and testing the model</source>
        <translation>Das Modell wird geschrieben und getestet</translation>
    </message>
    <message>
        <source>Writing detections</source>
        <translation>Schreiben der Detektionen</translation>
    </message>
    <message>
        <source>Writing the components</source>
        <translation>Die Komponenten werden geschrieben</translation>
    </message>
    <message>
        <source>Writing the model</source>
        <translation>Das Modell wird geschrieben</translation>
    </message>
    <message>
        <source>Writing the report</source>
        <translation>Der Bericht wird geschrieben</translation>
    </message>
    <message>
        <source>Writing the stamp</source>
        <translation>Der Stempel wird geschrieben</translation>
    </message>
    <message>
        <source>Your own Python</source>
        <translation>Ein eigenes Python</translation>
    </message>
    <message>
        <source>a fine-tuned model</source>
        <translation>ein feinabgestimmtes Modell</translation>
    </message>
    <message>
        <source>a folder of wheels, without a network</source>
        <translation>einem Ordner mit Wheels, ohne Netz</translation>
    </message>
    <message>
        <source>a model fine-tuned for classification</source>
        <translation>ein für Klassifikation feinabgestimmtes Modell</translation>
    </message>
    <message>
        <source>a model fine-tuned for regression</source>
        <translation>ein für Regression feinabgestimmtes Modell</translation>
    </message>
    <message>
        <source>a model for fractions of covers</source>
        <translation>ein Modell für Anteile von Bedeckungen</translation>
    </message>
    <message>
        <source>a student</source>
        <translation>einen Studenten</translation>
    </message>
    <message>
        <source>about {download} to download, {disk} on the disk</source>
        <translation>etwa {download} zu laden, {disk} auf der Platte</translation>
    </message>
    <message>
        <source>accuracy,confusion matrix,validation,test,report,kappa,f1,iou,rmse,calibration,area</source>
        <translation>genauigkeit,konfusionsmatrix,validierung,test,bericht,kappa,f1,iou,rmse,kalibrierung,fläche</translation>
    </message>
    <message>
        <source>automatic</source>
        <translation>nach den Labeln entscheiden</translation>
    </message>
    <message>
        <source>automatic (output layer only; everything for random weights)</source>
        <translation>automatisch (nur die Ausgabeschicht; alles bei zufälligen Gewichten)</translation>
    </message>
    <message>
        <source>automatic: by cross-validation</source>
        <translation>automatisch: durch Kreuzvalidierung</translation>
    </message>
    <message>
        <source>band {number}</source>
        <translation>Kanal {number}</translation>
    </message>
    <message>
        <source>bands {numbers}</source>
        <translation>Kanäle {numbers}</translation>
    </message>
    <message>
        <source>bare soil</source>
        <translation>offener Boden</translation>
    </message>
    <message>
        <source>base: needs a large GPU</source>
        <translation>base: braucht eine große GPU</translation>
    </message>
    <message>
        <source>between {low} and {high}</source>
        <translation>zwischen {low} und {high}</translation>
    </message>
    <message>
        <source>built</source>
        <translation>bebaut</translation>
    </message>
    <message>
        <source>cancelled.</source>
        <translation>abgebrochen.</translation>
    </message>
    <message>
        <source>card,metadata,onnx,classes,bands,wavelengths,licence,provenance</source>
        <translation>steckbrief,metadaten,onnx,klassen,kanäle,wellenlängen,lizenz,herkunft</translation>
    </message>
    <message>
        <source>class</source>
        <translation>Klasse</translation>
    </message>
    <message>
        <source>classification layer only</source>
        <translation>nur die Klassifikationsschicht</translation>
    </message>
    <message>
        <source>cloud</source>
        <translation>Wolken</translation>
    </message>
    <message>
        <source>contained</source>
        <translation>enthalten</translation>
    </message>
    <message>
        <source>counts of a detector</source>
        <translation>Rohwerte eines Detektors</translation>
    </message>
    <message>
        <source>description</source>
        <translation>Beschreibung</translation>
    </message>
    <message>
        <source>dry vegetation</source>
        <translation>trockene Vegetation</translation>
    </message>
    <message>
        <source>embedding and reconstruction</source>
        <translation>Einbettung und Rekonstruktion</translation>
    </message>
    <message>
        <source>everything: slow, for many labels</source>
        <translation>alles: langsam, für viele Label</translation>
    </message>
    <message>
        <source>fetched</source>
        <translation>geholt</translation>
    </message>
    <message>
        <source>few features: hard to test</source>
        <translation>wenige Objekte: schwer zu testen</translation>
    </message>
    <message>
        <source>few pixels</source>
        <translation>wenige Pixel</translation>
    </message>
    <message>
        <source>file name</source>
        <translation>Dateiname</translation>
    </message>
    <message>
        <source>fine-tuning and distillation</source>
        <translation>Feinabstimmung und Destillation</translation>
    </message>
    <message>
        <source>floating-point</source>
        <translation>Gleitkomma</translation>
    </message>
    <message>
        <source>folder that holds the .whl files</source>
        <translation>Ordner, der die .whl-Dateien enthält</translation>
    </message>
    <message>
        <source>graphics card (CUDA)</source>
        <translation>Grafikkarte (CUDA)</translation>
    </message>
    <message>
        <source>herbaceous</source>
        <translation>krautig</translation>
    </message>
    <message>
        <source>here</source>
        <translation>hier</translation>
    </message>
    <message>
        <source>hyperspectral,anomaly,outlier,target detection,reconstruction error,unusual,enmap</source>
        <translation>hyperspektral,anomalie,ausreißer,zielsuche,rekonstruktionsfehler,ungewöhnlich,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,classification,land cover,class map,probability,uncertainty,entropy,predict,inference,deep learning,enmap</source>
        <translation>hyperspektral,klassifikation,landbedeckung,klassenkarte,wahrscheinlichkeit,unsicherheit,entropie,vorhersage,inferenz,deep learning,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,dead pixels,bad bands,stripes,destriping,fill,nodata,gaps,interpolate,enmap</source>
        <translation>hyperspektral,tote pixel,schlechte kanäle,streifen,destriping,füllen,nodata,lücken,interpolieren,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,embedding,features,pca,principal components,deep learning,enmap</source>
        <translation>hyperspektral,einbettung,merkmale,pca,hauptkomponenten,deep learning,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,enmap,prisma,emit,desis,tanager,aviris,l2a,l2d,he5,netcdf,zip,tar,cloud mask,quality</source>
        <translation>hyperspektral,enmap,prisma,emit,desis,tanager,aviris,l2a,l2d,he5,netcdf,zip,tar,Wolkenmaske,Qualität</translation>
    </message>
    <message>
        <source>hyperspectral,hls,landsat,sentinel-2,prithvi,resample,multispectral,enmap</source>
        <translation>hyperspektral,hls,landsat,sentinel-2,prithvi,umrechnen,multispektral,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,land cover,fraction,unmixing,overview,begin,built,soil,vegetation,water,snow,cloud,enmap</source>
        <translation>hyperspektral,Landbedeckung,Anteil,Entmischung,Überblick,Beginn,bebaut,Boden,Vegetation,Wasser,Schnee,Wolken,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,reconstruction,anomaly,error,spectral angle,deep learning,enmap</source>
        <translation>hyperspektral,rekonstruktion,anomalie,fehler,spektraler winkel,deep learning,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,regression,fraction,traits,unmixing,predict,inference,deep learning,enmap</source>
        <translation>hyperspektral,regression,anteil,pflanzenmerkmale,entmischung,vorhersage,inferenz,deep learning,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,report,wavelengths,bands,bad bands,spectra,metadata,check,enmap</source>
        <translation>hyperspektral,bericht,wellenlängen,kanäle,schlechte kanäle,spektren,metadaten,prüfen,enmap</translation>
    </message>
    <message>
        <source>hyperspectral,similarity,search,target detection,embedding,cosine,query,more like this</source>
        <translation>hyperspektral,ähnlichkeit,suche,zielsuche,einbettung,kosinus,anfrage,mehr davon</translation>
    </message>
    <message>
        <source>hyperspectral,target detection,spectral library,matched filter,ACE,CEM,SAM,spectral angle,mineral,material,false alarm</source>
        <translation>hyperspektral,Zieldetektion,Spektralbibliothek,Matched Filter,ACE,CEM,SAM,Spektralwinkel,Mineral,Material,Falschalarm</translation>
    </message>
    <message>
        <source>hyperspectral,unsupervised,k-means,segmentation,classes,embedding,enmap</source>
        <translation>hyperspektral,unüberwacht,k-means,segmentierung,klassen,einbettung,enmap</translation>
    </message>
    <message>
        <source>in the labels</source>
        <translation>in den Labeln</translation>
    </message>
    <message>
        <source>inference</source>
        <translation>Modelle anwenden</translation>
    </message>
    <message>
        <source>install,packages,onnxruntime,torch,python,environment,dependencies</source>
        <translation>installieren,pakete,onnxruntime,torch,python,umgebung,abhängigkeiten</translation>
    </message>
    <message>
        <source>it beats {method}, the best classical model</source>
        <translation>es schlägt {method}, das beste klassische Modell</translation>
    </message>
    <message>
        <source>licence not stated</source>
        <translation>Lizenz nicht angegeben</translation>
    </message>
    <message>
        <source>logistic regression</source>
        <translation>Logistische Regression</translation>
    </message>
    <message>
        <source>mapped as ↓, reference →</source>
        <translation>kartiert als ↓, Referenz →</translation>
    </message>
    <message>
        <source>model</source>
        <translation>modell</translation>
    </message>
    <message>
        <source>moderate</source>
        <translation>mäßig</translation>
    </message>
    <message>
        <source>mostly {covers}; median standard error {error:.2f}.</source>
        <translation>überwiegend {covers}; Median des Standardfehlers {error:.2f}.</translation>
    </message>
    <message>
        <source>no limit</source>
        <translation>ohne Grenze</translation>
    </message>
    <message>
        <source>none</source>
        <translation>keiner</translation>
    </message>
    <message>
        <source>none (masked autoencoder only)</source>
        <translation>keiner (nur maskierter Autoencoder)</translation>
    </message>
    <message>
        <source>none: HyperKD's own is used</source>
        <translation>keiner: der von HyperKD wird verwendet</translation>
    </message>
    <message>
        <source>none: by frequency</source>
        <translation>keines: nach Häufigkeit</translation>
    </message>
    <message>
        <source>none: results cannot be checked</source>
        <translation>keiner: Ergebnisse lassen sich nicht prüfen</translation>
    </message>
    <message>
        <source>not here yet</source>
        <translation>noch nicht hier</translation>
    </message>
    <message>
        <source>not here, {size} to download</source>
        <translation>nicht hier, {size} zu laden</translation>
    </message>
    <message>
        <source>not stated</source>
        <translation>nicht angegeben</translation>
    </message>
    <message>
        <source>onnx,model,convert,checkpoint,safetensors,deploy</source>
        <translation>onnx,modell,umwandeln,checkpoint,safetensors,einsatz</translation>
    </message>
    <message>
        <source>paper: as in the HyperKD paper, needs a large GPU</source>
        <translation>paper: wie im HyperKD-Artikel, braucht eine große GPU</translation>
    </message>
    <message>
        <source>partial least squares (PLSR)</source>
        <translation>Partial Least Squares (PLSR)</translation>
    </message>
    <message>
        <source>percent</source>
        <translation>Prozent</translation>
    </message>
    <message>
        <source>processor</source>
        <translation>Prozessor</translation>
    </message>
    <message>
        <source>quantize,quantisation,int8,float16,onnx,smaller,faster,speed,deploy</source>
        <translation>quantisieren,quantisierung,int8,float16,onnx,kleiner,schneller,geschwindigkeit,einsatz</translation>
    </message>
    <message>
        <source>radiance</source>
        <translation>Strahldichte</translation>
    </message>
    <message>
        <source>random forest</source>
        <translation>Random Forest</translation>
    </message>
    <message>
        <source>reflectance 0 to 1</source>
        <translation>Reflexionsgrad 0 bis 1</translation>
    </message>
    <message>
        <source>reflectance x 10000</source>
        <translation>Reflexionsgrad x 10000</translation>
    </message>
    <message>
        <source>regression layer only</source>
        <translation>nur die Regressionsschicht</translation>
    </message>
    <message>
        <source>scratch (random weights)</source>
        <translation>scratch (zufällige Gewichte)</translation>
    </message>
    <message>
        <source>shipped</source>
        <translation>mitgeliefert</translation>
    </message>
    <message>
        <source>single pixels (scores will be too high)</source>
        <translation>einzelne Pixel (Werte werden zu hoch)</translation>
    </message>
    <message>
        <source>small adapters too</source>
        <translation>auch kleine Adapter</translation>
    </message>
    <message>
        <source>small: needs a GPU</source>
        <translation>small: braucht eine GPU</translation>
    </message>
    <message>
        <source>snow</source>
        <translation>Schnee</translation>
    </message>
    <message>
        <source>strong: all classes equal</source>
        <translation>stark: alle Klassen gleich</translation>
    </message>
    <message>
        <source>student</source>
        <translation>student</translation>
    </message>
    <message>
        <source>support vector machine (RBF)</source>
        <translation>Support Vector Machine (RBF)</translation>
    </message>
    <message>
        <source>the labels are from too few places to tell whether {method} is better ({figure} {theirs} against {ours})</source>
        <translation>die Label stammen von zu wenigen Orten, um zu sagen, ob {method} besser ist ({figure} {theirs} gegen {ours})</translation>
    </message>
    <message>
        <source>the last layers too</source>
        <translation>auch die letzten Schichten</translation>
    </message>
    <message>
        <source>the output layer only: quick, for few labels</source>
        <translation>nur die Ausgabeschicht: schnell, für wenige Label</translation>
    </message>
    <message>
        <source>the package index, with QGIS's network settings</source>
        <translation>dem Paketindex, mit den Netzwerkeinstellungen von QGIS</translation>
    </message>
    <message>
        <source>the pixels with data</source>
        <translation>Pixel mit Daten</translation>
    </message>
    <message>
        <source>the raster</source>
        <translation>ganzes Raster</translation>
    </message>
    <message>
        <source>the sampled pixels with data</source>
        <translation>Stichprobe der Pixel mit Daten</translation>
    </message>
    <message>
        <source>the scene is no longer in the project, so nothing was added.</source>
        <translation>die Szene ist nicht mehr im Projekt, deshalb wurde nichts hinzugefügt.</translation>
    </message>
    <message>
        <source>the weakest class is {name} (F1 {f1})</source>
        <translation>die schwächste Klasse ist {name} (F1 {f1})</translation>
    </message>
    <message>
        <source>tiny: trains on a laptop in about an hour</source>
        <translation>tiny: trainiert auf einem Laptop in etwa einer Stunde</translation>
    </message>
    <message>
        <source>torch {wanted} is not available: {index} does not answer, or does not have it.</source>
        <translation>torch {wanted} ist nicht zu haben: {index} antwortet nicht oder hat keines.</translation>
    </message>
    <message>
        <source>train,distillation,knowledge distillation,pretraining,masked autoencoder,prithvi,foundation model,deep learning</source>
        <translation>training,destillation,wissensdestillation,vortraining,maskierter autoencoder,prithvi,grundlagenmodell,deep learning</translation>
    </message>
    <message>
        <source>train,fine-tuning,classification,regression,labels,polygons,land cover,transfer learning,deep learning</source>
        <translation>training,feinabstimmung,fine-tuning,klassifikation,regression,label,polygone,landbedeckung,transferlernen,deep learning</translation>
    </message>
    <message>
        <source>trees</source>
        <translation>Bäume</translation>
    </message>
    <message>
        <source>unknown</source>
        <translation>unbekannt</translation>
    </message>
    <message>
        <source>water</source>
        <translation>Wasser</translation>
    </message>
    <message>
        <source>whole blocks of the scene</source>
        <translation>ganze Blöcke der Szene</translation>
    </message>
    <message>
        <source>whole features</source>
        <translation>ganze Objekte</translation>
    </message>
    <message>
        <source>whole scenes</source>
        <translation>ganze Szenen</translation>
    </message>
    <message>
        <source>yours</source>
        <translation>eigenes</translation>
    </message>
    <message>
        <source>{count} bands, {first:.0f} to {last:.0f} nm</source>
        <translation>{count} Kanäle, {first:.0f} bis {last:.0f} nm</translation>
    </message>
    <message>
        <source>{count} channels</source>
        <translation>{count} Eingänge</translation>
    </message>
    <message>
        <source>{count} features hold a text in the field {field} of {layer} that stands for no value, and are left out: {words}.</source>
        <translation>{count} Objekte haben im Feld {field} von {layer} einen Text, der für keinen Wert steht, und werden weggelassen: {words}.</translation>
    </message>
    <message>
        <source>{count} features with the names {names} are one class: they differ in letter case, blanks or Unicode form alone.</source>
        <translation>{count} Objekte mit den Namen {names} sind eine Klasse: Sie unterscheiden sich nur in Groß- und Kleinschreibung, Leerzeichen oder Unicode-Form.</translation>
    </message>
    <message>
        <source>{count} for early stopping</source>
        <translation>{count} für das frühe Beenden</translation>
    </message>
    <message>
        <source>{count} more are in the log.</source>
        <translation>{count} weitere stehen im Protokoll.</translation>
    </message>
    <message>
        <source>{count} near the border are not used</source>
        <translation>{count} nahe der Grenze bleiben ungenutzt</translation>
    </message>
    <message>
        <source>{count} of {all} bands end at exactly {top}, the largest number of {bits} bits: the values look like raw counts of a detector that saturates.</source>
        <translation>{count} von {all} Kanälen enden genau bei {top}, der größten Zahl von {bits} Bit: die Werte sehen nach Rohwerten eines Detektors in Sättigung aus.</translation>
    </message>
    <message>
        <source>{count} of {all} sampled windows cannot be read: the file is damaged.</source>
        <translation>{count} von {all} Stichproben können nicht gelesen werden: die Datei ist beschädigt.</translation>
    </message>
    <message>
        <source>{count} of {pixels} labelled pixels lie within {buffer} px of another part and are left out.</source>
        <translation>{count} von {pixels} gelabelten Pixeln liegen näher als {buffer} px an einem anderen Teil und werden weggelassen.</translation>
    </message>
    <message>
        <source>{count} of {total} features hold {value} in the field {field} of {layer} (the others: {low} to {high}): it is taken as no label, and they are left out.</source>
        <translation>{count} von {total} Objekten haben {value} im Feld {field} von {layer} (die übrigen: {low} bis {high}). Das gilt nicht als Label, und sie werden weggelassen.</translation>
    </message>
    <message>
        <source>{count} of {total} features hold {value} in the field {field} of {layer}, which often means no label; here it counts as one.</source>
        <translation>{count} von {total} Objekten haben {value} im Feld {field} von {layer}. Das bedeutet oft „kein Label“; hier zählt es als eines.</translation>
    </message>
    <message>
        <source>{count} of {total} pixels hold {value} in {file} (the others: {low} to {high}): it is taken as no label, and they are left out.</source>
        <translation>{count} von {total} Pixeln haben {value} in {file} (die übrigen: {low} bis {high}). Das gilt nicht als Label, und sie werden weggelassen.</translation>
    </message>
    <message>
        <source>{count} of {total} pixels hold {value} in {file}, which often means no label; here it counts as one.</source>
        <translation>{count} von {total} Pixeln haben {value} in {file}. Das bedeutet oft „kein Label“; hier zählt es als eines.</translation>
    </message>
    <message>
        <source>{count} sampled windows</source>
        <translation>{count} Stichproben</translation>
    </message>
    <message>
        <source>{covers} and {last}</source>
        <translation>{covers} und {last}</translation>
    </message>
    <message>
        <source>{cover} ({percent} %)</source>
        <translation>{cover} ({percent} %)</translation>
    </message>
    <message>
        <source>{file} has no HyperKD card: it is not a HyperKD model, or it is damaged.</source>
        <translation>{file} hat keinen HyperKD-Steckbrief: kein HyperKD-Modell, oder beschädigt.</translation>
    </message>
    <message>
        <source>{file} was left out: a scene has {least} bands or more, this has {count}.</source>
        <translation>{file} wurde ausgelassen: Eine Szene hat mindestens {least} Bänder, diese Datei hat {count}.</translation>
    </message>
    <message>
        <source>{file} was left out: it cannot be read as a raster.</source>
        <translation>{file} wurde ausgelassen: Das ist kein lesbares Raster.</translation>
    </message>
    <message>
        <source>{folder} cannot be removed yet: close other QGIS windows and try again.</source>
        <translation>{folder} lässt sich noch nicht entfernen: andere QGIS-Fenster schließen und noch einmal versuchen.</translation>
    </message>
    <message>
        <source>{folder} cannot be written: {reason}.</source>
        <translation>{folder} lässt sich nicht schreiben: {reason}.</translation>
    </message>
    <message>
        <source>{folder} has {free} MB free; about {needed} MB are needed.</source>
        <translation>In {folder} sind {free} MB frei; etwa {needed} MB sind nötig.</translation>
    </message>
    <message>
        <source>{method} is better ({figure} {theirs} against {ours}): use it for the map</source>
        <translation>{method} ist besser ({figure} {theirs} gegen {ours}): damit kartieren</translation>
    </message>
    <message>
        <source>{method}, the best classical model, is neither clearly better nor worse ({figure} {theirs} against {ours})</source>
        <translation>{method}, das beste klassische Modell, ist weder klar besser noch schlechter ({figure} {theirs} gegen {ours})</translation>
    </message>
    <message>
        <source>{metres:g} m in training</source>
        <translation>{metres:g} m im Training</translation>
    </message>
    <message>
        <source>{minimum:g} to {maximum:g} {unit} in training</source>
        <translation>{minimum:g} bis {maximum:g} {unit} im Training</translation>
    </message>
    <message>
        <source>{name} holds no label at the scenes.</source>
        <translation>{name} hat an den Szenen kein Label.</translation>
    </message>
    <message>
        <source>{name} lies outside every scene.</source>
        <translation>{name} liegt außerhalb aller Szenen.</translation>
    </message>
    <message>
        <source>{name} must be a number, but is “{text}”.</source>
        <translation>{name} muss eine Zahl sein, ist aber „{text}“.</translation>
    </message>
    <message>
        <source>{name}, validation</source>
        <translation>{name}, Validierung</translation>
    </message>
    <message>
        <source>{name}: R² {r2}, mean error (RMSE) {rmse}</source>
        <translation>{name}: R² {r2}, mittlerer Fehler (RMSE) {rmse}</translation>
    </message>
    <message>
        <source>{number} %</source>
        <translation>{number} %</translation>
    </message>
    <message>
        <source>{number} GB</source>
        <translation>{number} GB</translation>
    </message>
    <message>
        <source>{number} MB</source>
        <translation>{number} MB</translation>
    </message>
    <message>
        <source>{number} h</source>
        <translation>{number} h</translation>
    </message>
    <message>
        <source>{number} min</source>
        <translation>{number} min</translation>
    </message>
    <message>
        <source>{number} s</source>
        <translation>{number} s</translation>
    </message>
    <message>
        <source>{path} cannot be written: choose another folder.</source>
        <translation>{path} lässt sich nicht schreiben: wählen Sie einen anderen Ordner.</translation>
    </message>
    <message>
        <source>{path} cannot be written: {reason}.</source>
        <translation>{path} lässt sich nicht schreiben: {reason}.</translation>
    </message>
    <message>
        <source>{path} is in the project.</source>
        <translation>{path} ist im Projekt.</translation>
    </message>
    <message>
        <source>{percentile}th percentile {value}</source>
        <translation>{percentile}. Perzentil {value}</translation>
    </message>
    <message>
        <source>{percentile}th percentile {value}, in the median band {median}</source>
        <translation>{percentile}. Perzentil {value}, im mittleren Kanal {median}</translation>
    </message>
    <message>
        <source>{percentile}th percentile {value}, in the median band {median}, in bright bands {bright}</source>
        <translation>{percentile}. Perzentil {value}, im mittleren Kanal {median}, in hellen Kanälen {bright}</translation>
    </message>
    <message>
        <source>{percent} % of the pixels are unlike everything that the model learned from: do not rely on their values. Is the raster surface reflectance?</source>
        <translation>{percent} % der Pixel gleichen nichts, woran das Modell gelernt hat: verlassen Sie sich nicht auf ihre Werte. Enthält das Raster Reflexionsgrade der Oberfläche?</translation>
    </message>
    <message>
        <source>{python} is not a working Python: {said}</source>
        <translation>{python} ist kein Python, das funktioniert: {said}</translation>
    </message>
    <message>
        <source>{share} of {pixels} test pixels are correct</source>
        <translation>{share} von {pixels} Testpixeln stimmen</translation>
    </message>
    <message>
        <source>{size:.1f} MB</source>
        <translation>{size:.1f} MB</translation>
    </message>
    <message>
        <source>{step} failed.</source>
        <translation>{step} ist fehlgeschlagen.</translation>
    </message>
    <message>
        <source>{step} failed: {said}</source>
        <translation>{step} ist fehlgeschlagen: {said}</translation>
    </message>
    <message>
        <source>{step} took too long and was ended.</source>
        <translation>{step} hat zu lange gedauert und wurde beendet.</translation>
    </message>
    <message>
        <source>{step} was ended from outside.</source>
        <translation>{step} wurde von außen beendet.</translation>
    </message>
    <message>
        <source>{tile} px, patches of {patch} px, receptive field {field} px</source>
        <translation>{tile} px, Patches von {patch} px, rezeptives Feld {field} px</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>noch {time}</translation>
    </message>
    <message>
        <source>{train} pixels for training, {test} for testing</source>
        <translation>{train} Pixel zum Training, {test} zum Testen</translation>
    </message>
    <message>
        <source>“{layer}” cannot be handed to the engine: {reason}</source>
        <translation>„{layer}“ lässt sich nicht an die Engine übergeben: {reason}</translation>
    </message>
    <message>
        <source>“{layer}” comes from the provider “{provider}”; HyperKD reads raster files. Save the layer as a GeoTIFF first (right-click › Export › Save As…).</source>
        <translation>„{layer}“ kommt vom Provider „{provider}“; HyperKD liest Rasterdateien. Speichern Sie den Layer zuerst als GeoTIFF (Rechtsklick › Export › Speichern als…).</translation>
    </message>
    <message>
        <source>“{layer}” covers {first:.0f} to {last:.0f} nm, but {model} needs {needed_first:.0f} to {needed_last:.0f} nm: {missing} of its {count} bands are missing, for instance at {example:.0f} nm. Choose a scene of another sensor, or a model made for this one.</source>
        <translation>„{layer}“ deckt {first:.0f} bis {last:.0f} nm ab, aber {model} braucht {needed_first:.0f} bis {needed_last:.0f} nm: {missing} seiner {count} Kanäle fehlen, zum Beispiel bei {example:.0f} nm. Wählen Sie die Szene eines anderen Sensors, oder ein Modell, das für diesen gemacht wurde.</translation>
    </message>
    <message>
        <source>“{layer}” has 1 band. HyperKD needs a hyperspectral scene: {model} reads {needed} bands.</source>
        <translation>„{layer}“ hat 1 Kanal. HyperKD braucht eine hyperspektrale Szene: {model} liest {needed} Kanäle.</translation>
    </message>
    <message>
        <source>“{layer}” has no bands for this, or no wavelengths.</source>
        <translation>„{layer}“ hat keine Kanäle dafür oder keine Wellenlängen.</translation>
    </message>
    <message>
        <source>“{layer}” has no features to use. Is nothing selected?</source>
        <translation>„{layer}“ hat keine Objekte, die verwendet werden könnten. Ist nichts gewählt?</translation>
    </message>
    <message>
        <source>“{layer}” has {count} bands. HyperKD needs a hyperspectral scene: {model} reads {needed} bands.</source>
        <translation>„{layer}“ hat {count} Kanäle. HyperKD braucht eine hyperspektrale Szene: {model} liest {needed} Kanäle.</translation>
    </message>
    <message>
        <source>“{layer}” is not a raster.</source>
        <translation>„{layer}“ ist kein Raster.</translation>
    </message>
    <message>
        <source>“{layer}” lies in the memory of QGIS, where HyperKD's process cannot read it. Save it as a file first (right-click › Export › Save As…).</source>
        <translation>„{layer}“ liegt im Arbeitsspeicher von QGIS, wo HyperKDs Prozess ihn nicht lesen kann. Speichern Sie ihn zuerst als Datei (Rechtsklick › Export › Speichern als…).</translation>
    </message>
    <message>
        <source>“{model}” is a model for {task}; this algorithm needs {wanted}.</source>
        <translation>„{model}“ ist ein Modell für {task}; dieser Algorithmus braucht {wanted}.</translation>
    </message>
    <message>
        <source>“{title}” ended without a model.</source>
        <translation>„{title}“ endete ohne Modell.</translation>
    </message>
    <message>
        <source>“{title}” is done.</source>
        <translation>„{title}“ ist fertig.</translation>
    </message>
    <message>
        <source>“{title}” is still running.</source>
        <translation>„{title}“ läuft noch.</translation>
    </message>
    <message>
        <source>“{title}” still runs. Cancel it, or wait until it has ended.</source>
        <translation>„{title}“ läuft noch. Brechen Sie es ab, oder warten Sie, bis es beendet ist.</translation>
    </message>
    <message>
        <source>“{title}” was interrupted.</source>
        <translation>„{title}“ wurde unterbrochen.</translation>
    </message>
</context>
</TS>
